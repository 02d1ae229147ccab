"""What a search is over, as declared on the command line in Hydra's words. Needs neither TensorFlow nor Optuna.

'network.hidden=choice([16],[32])' 'optimizer.polish=range(500,3000,500)' 'optimizer.damping=interval(1e-4,1e-1)'
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import OmegaConf

from deqn.configuration.composition import compose
from deqn.configuration.overrides import parse_overrides
from deqn.configuration.validation import validate
from deqn.system.errors import InputError

JUDGES = ("model", "pseudo_states", "expectation", "evaluation", "seed", "tolerance", "resume", "tuned", "hydra")
OWN = ("trials", "study")  # words that are deqn-tune's own


@dataclass(frozen=True)
class Choice:
    """One of some words, as they stand behind the key."""

    words: tuple[str, ...]

    @property
    def ends(self) -> tuple[str, ...]:
        """What is checked before a search starts: every word."""
        return self.words


@dataclass(frozen=True)
class Interval:
    """A number from `low` to `high`, both included; `step` apart where it is given; `log`: uniform in its logarithm."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def ends(self) -> tuple[str, ...]:
        """What is checked before a search starts: both ends."""
        return format_number(self.low), format_number(self.high)


@dataclass(frozen=True)
class Search:
    """A declared search: the words that declare it, the space by key, and what stays the same in all trials."""

    declaration: list[str]
    space: dict[str, Choice | Interval]
    fixed: list[str]
    config_dir: str | None
    model: str
    seed: int
    trials: int
    folder: Path

    def overrides(self, words: dict[str, str]) -> list[str]:
        """Those of a trial, by the word chosen for each key."""
        return [*self.fixed, *(f"{key}={word}" for key, word in words.items())]


def declare_search(overrides: list[str], config_dir: str | None) -> Search:
    """The search that a command line declares, checked at the ends of every dimension. Raises InputError."""
    parsed = parse_overrides(overrides)
    declaration = [o.input_line for o in parsed if o.key_or_group not in OWN]
    own = {o.key_or_group: o.value() for o in parsed if o.key_or_group in OWN}
    parsed = [o for o in parsed if o.key_or_group not in OWN]
    for o in parsed:
        if o.is_delete() or o.key_or_group.startswith("hydra"):
            raise InputError(f"{o.input_line} has no meaning in a search")
    space = {read_key(o): read_dimension(o) for o in parsed if o.is_sweep_override()}
    fixed = [o.input_line for o in parsed if not o.is_sweep_override()]
    if not space:
        raise InputError("nothing to search; give a key choice(A,B), interval(LOWER,UPPER) or range(START,STOP,STEP)")
    trials = own.get("trials", 20)
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise InputError(f"trials={trials} is not a number of trials")
    first = [f"{key}={values.ends[0]}" for key, values in space.items()]
    composition = compose([*fixed, *first], config_dir)
    model, seed = composition.name, validate(composition.config)[0].seed
    before = compose(fixed, config_dir).config  # the word 0 alone does not tell a count from a share
    for key, values in space.items():
        given, default = (OmegaConf.select(c, key.lstrip("+")) for c in (composition.config, before))
        if isinstance(values, Interval) and isinstance(given, int) and not isinstance(default, float):
            space[key] = make_whole(values)
    for key, values in space.items():
        for end in values.ends[1:]:
            validate(compose([*fixed, *first, f"{key}={end}"], config_dir).config)
    folder = Path(str(own.get("study", f"outputs/tune/{model}")))
    return Search(declaration, space, fixed, config_dir, model, seed, trials, folder)


def read_key(o: Override) -> str:
    """The key to be searched. Raises InputError for what would change the problem, or the yardstick."""
    key = o.input_line.split("=", 1)[0]
    if o.key_or_group.split(".")[0].split("/")[0] in JUDGES:
        raise InputError(f"{key} cannot be searched: it belongs to what is solved, or to how errors are measured")
    return key


def read_dimension(o: Override) -> Choice | Interval:
    """The values that a sweep of Hydra's declares. Raises InputError for bounds that leave none."""
    values, log = o.value(), "log" in getattr(o.value(), "tags", ())
    if isinstance(values, ChoiceSweep):
        return Choice(tuple(o.sweep_string_iterator()))
    if isinstance(values, RangeSweep):
        numbers = list(values.range()) if values.step else []
        if not numbers:
            raise InputError(f"{o.input_line}: there is no number in this range")
        low, high = min(numbers), max(numbers)
        return Interval(low, high, abs(values.step)) if low < high else Choice((format_number(low),))
    if isinstance(values, IntervalSweep):
        if not (math.isfinite(values.start) and math.isfinite(values.end) and values.start < values.end):
            raise InputError(f"{o.input_line}: the lower end is not below the upper end, or not finite")
        if log and values.start <= 0:
            raise InputError(f"{o.input_line}: the logarithm needs a lower end above zero")
        return Interval(values.start, values.end, log=log)
    raise InputError(f"{o.input_line}: a search knows choice(), interval() and range()")


def format_number(x: float | str) -> str:
    """A number, or a word, as an override has it."""
    return x if isinstance(x, str) else f"{x:.12g}"


def make_whole(values: Interval) -> Interval:
    """The same interval for a setting that counts."""
    return replace(values, low=int(values.low), high=int(values.high))
