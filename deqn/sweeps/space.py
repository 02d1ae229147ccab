"""What a search is over, as declared on the command line in Hydra's words. Needs no TensorFlow.

'network.hidden=choice([16],[32])' 'optimizer.polish=range(500,3000,500)' 'optimizer.damping=interval(1e-4,1e-1)'
"""

import math
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from deqn.configuration.composition import compose, parse_overrides
from deqn.configuration.validation import validate
from deqn.system.errors import InputError

JUDGES = (
    "model", "pseudo_states", "continuation", "expectation", "evaluation", "seed", "tolerance", "resume", "tuned",
    "hydra",
)  # fmt: skip
OWN = ("trials", "study")  # words that are deqn-tune's own

Dimension = CategoricalDistribution | IntDistribution | FloatDistribution  # of words as they stand behind the key


@dataclass(frozen=True)
class Search:
    """A declared search: the words that declare it, the space by key, and what stays the same in all trials."""

    declaration: list[str]
    space: dict[str, Dimension]
    fixed: list[str]
    config_dir: str | None
    model: str
    seed: int
    trials: int
    folder: Path

    @property
    def fresh_seed(self) -> int:
        """A seed that no trial has."""
        return (self.seed + 1) % 2**31

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
    space = {}
    for o in (o for o in parsed if o.is_sweep_override()):
        key = o.input_line.split("=", 1)[0]
        if o.key_or_group.split(".")[0].split("/")[0] in JUDGES:
            raise InputError(f"{key} cannot be searched: it belongs to what is solved, or to how errors are measured")
        space[key] = read_dimension(o)
    fixed = [o.input_line for o in parsed if not o.is_sweep_override()]
    if not space:
        raise InputError("nothing to search; give a key choice(A,B), interval(LOWER,UPPER) or range(START,STOP,STEP)")
    trials = own.get("trials", 20)
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise InputError(f"trials={trials} is not a number of trials")
    first = [f"{key}={list_ends(values)[0]}" for key, values in space.items()]
    composition = compose([*fixed, *first], config_dir)
    model, seed = composition.name, validate(composition.config)[0].seed
    before = compose(fixed, config_dir).config  # the word 0 alone does not tell a count from a share
    for key, values in space.items():
        given, default = (OmegaConf.select(c, key.lstrip("+")) for c in (composition.config, before))
        if isinstance(values, FloatDistribution) and isinstance(given, int) and not isinstance(default, float):
            space[key] = IntDistribution(int(values.low), int(values.high), values.log)  # of a setting that counts
    for key, values in space.items():
        for end in list_ends(values)[1:]:
            validate(compose([*fixed, *first, f"{key}={end}"], config_dir).config)
    folder = Path(str(own.get("study", f"outputs/tune/{model}")))
    return Search(declaration, space, fixed, config_dir, model, seed, trials, folder)


def read_dimension(o: Override) -> Dimension:
    """The values that a sweep of Hydra's declares. Raises InputError for bounds that leave none."""
    values = o.value()
    if isinstance(values, ChoiceSweep):
        return CategoricalDistribution(tuple(o.sweep_string_iterator()))
    if isinstance(values, RangeSweep):
        numbers = list(values.range()) if values.step else []
        if not numbers:
            raise InputError(f"{o.input_line}: there is no number in this range")
        low, high, step = min(numbers), max(numbers), abs(values.step)
        if low == high:
            return CategoricalDistribution((format_number(low),))
        return (IntDistribution if isinstance(low, int) else FloatDistribution)(low, high, step=step)
    if isinstance(values, IntervalSweep):
        if not (math.isfinite(values.start) and math.isfinite(values.end) and values.start < values.end):
            raise InputError(f"{o.input_line}: the lower end is not below the upper end, or not finite")
        if (log := "log" in values.tags) and values.start <= 0:
            raise InputError(f"{o.input_line}: the logarithm needs a lower end above zero")
        return FloatDistribution(values.start, values.end, log)
    raise InputError(f"{o.input_line}: a search knows choice(), interval() and range()")


def list_ends(values: Dimension) -> tuple[str, ...]:
    """What is checked before a search starts: every word, or both ends of an interval."""
    if isinstance(values, CategoricalDistribution):
        return values.choices
    return format_number(values.low), format_number(values.high)


def format_number(x: float | str, digits: int = 12) -> str:
    return x if isinstance(x, str) else f"{x:.{digits}g}"
