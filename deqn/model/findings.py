"""A check of a model, and the line that reports it: what was found, what is wrong, or why it was skipped.

Checks are plain functions that return a `Finding`. An argument may be the line of an earlier check: the new check reads
its value, and is skipped if it failed.
"""

import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deqn.model.declaration import Point
from deqn.system.errors import InputError, first_line

ENGINE = Path(__file__).parents[1]
MODELS = ENGINE / "models"  # of the package, where it is installed
LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
FUNCTIONS = ("states", "policies", "shocks", "definitions", "transition", "residuals", "expectations", "steady_state",
             "guess", "closed_form", "__post_init__")  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What a check returns: a `value` for later checks, the `text` for a reader, and what is wrong, in words."""

    value: Any
    text: str
    failures: Iterable[str] = ()
    warnings: Iterable[str] = ()


MIXED = ("expected to be a double tensor but is a float", "expected to be a float tensor but is a double",
         "type float64 that does not match type float32", "type float32 that does not match type float64")  # fmt: skip
MIXED_HINT = ("; plain numbers alone are a float32 tensor: write tf.where(x > 0, 1.0 + 0 * x, 2.0 + 0 * x) with a "
              "variable x, and tf.constant([1.0, 2.0], x.dtype)")  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A check that was made, or skipped because the check of the name `lacking` failed."""

    name: str
    value: Any = None
    text: str = ""
    failures: tuple[InputError, ...] = ()
    warnings: tuple[str, ...] = ()
    lacking: str | None = None

    @property
    def passed(self) -> bool:
        return not self.failures and self.lacking is None


def check(name: str, function: Callable[..., Finding], *arguments: Any, after: Sequence[Line] = ()) -> Line:
    """Run a check; a `Line` among the arguments stands for its value, those in `after` need to have passed as well."""
    for needed in (*arguments, *after):
        if isinstance(needed, Line) and not needed.passed:
            return Line(name, lacking=needed.lacking or needed.name)
    try:
        found = function(*(a.value if isinstance(a, Line) else a for a in arguments))
    except InputError as error:
        return Line(name, failures=(error,))
    return Line(name, found.value, found.text, tuple(map(InputError, found.failures)), tuple(found.warnings))


def call(function: str, run: Callable[[], Any], returns: Any = Mapping | Point | Sequence, hint: str = "") -> Any:
    """Call a model's function, and report whatever goes wrong in it under the function's name.

    Raises InputError, with the line of the model's own file and a hint.
    """
    try:
        result = run()
    except InputError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {first_line(error).rstrip('.')}"
        hint = MIXED_HINT if any(words in what for words in MIXED) else hint
        raise InputError(f"{function} failed{locate_line(error, called=True)}: {what}{hint}") from error
    if not isinstance(result, returns):
        raise InputError(f"{function} returned {type(result).__name__}, not named values")
    return result


def find_origin(error: BaseException) -> BaseException:
    """The error that a model's function raised; while tracing, TensorFlow raises one of its own in its place."""
    while error.__context__ is not None and str(error).startswith("in user code:"):
        error = error.__context__
    return error


def is_engine_file(file: str) -> bool:
    """Whether a file is one of the engine's own: in the package, but none of its models."""
    return Path(file).is_relative_to(ENGINE) and not Path(file).is_relative_to(MODELS)


def is_called_back(caller: traceback.FrameSummary, frame: traceback.FrameSummary) -> bool:
    """Whether the engine called a function that stands in no library."""
    return is_engine_file(caller.filename) and not any(Path(frame.filename).is_relative_to(p) for p in LIBRARIES)


def locate_line(error: BaseException, called: bool = False) -> str:
    """The deepest line of the model's own file on the way to an error, " (mine.py, line 12)"; empty where unknown.

    The file is that of a model's function. Where a function of the model was `called`, it may have any name, as a
    chain's probabilities have.
    """
    frames = traceback.extract_tb(find_origin(error).__traceback__)
    files = [
        f.filename for caller, f in zip([None, *frames], frames, strict=False)
        if not is_engine_file(f.filename) and (f.name in FUNCTIONS or (called and caller and is_called_back(caller, f)))
    ]  # fmt: skip
    own = [f for f in frames if f.filename in files[-1:]]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
