"""The settings of a run: their names, types and allowed values.

The values and the line that explains each stand in configs/. Every part of the engine takes only the settings that it
uses. This module needs no TensorFlow.
"""

from dataclasses import dataclass, field
from typing import Any

POSITIVE, COUNT, SHARE = "(0, inf)", "[1, inf)", "[0, 1]"
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softplus", "softsign",
    "sparse_plus", "swish", "tanh", "tanh_shrink",
)  # fmt: skip
INITIALIZERS = (
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal",
    "random_normal", "random_uniform", "truncated_normal", "variance_scaling",
)  # fmt: skip
FIRST_ORDER = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "nadam", "rmsprop", "sgd",
)  # fmt: skip
GRADIENT, SQUARES = (*FIRST_ORDER, "adam_lm"), ("adam_lm", "levenberg_marquardt")


def within(allowed: str | tuple[Any, ...], not_empty: bool = False) -> Any:
    """A setting with an interval (for every entry of a list) or a choice of words."""
    return field(metadata={"allowed": allowed, "not_empty": not_empty})


def only(
    choices: tuple[str, ...], allowed: str | tuple[Any, ...] | None, not_empty: bool = False, optional: bool = False
) -> Any:
    """A setting that belongs to some choices of its group; under the others it stays unset."""
    found = {"allowed": allowed, "not_empty": not_empty, "choices": choices, "optional": optional}
    return field(default=None, metadata=found)


@dataclass
class Network:
    """What stands behind the policy function: a multilayer perceptron or a polynomial, and where it starts."""

    name: str = within(("mlp", "chebyshev"))
    anchor: str = within(("linear", "quadratic", "steady_state", "none"))
    hidden: list[int] | None = only(("mlp",), "[1, 65536]", not_empty=True, optional=True)
    activation: str | None = only(("mlp",), ACTIVATIONS)
    initializer: str | None = only(("mlp",), INITIALIZERS)
    l1: float | None = only(("mlp",), "[0, inf)")
    l2: float | None = only(("mlp",), "[0, inf)")
    dropout: float | None = only(("mlp",), "[0, 1)")
    degree: int | None = only(("chebyshev",), "[1, 64]")


@dataclass
class Quadrature:
    """The rule for expectations over normal shocks."""

    rule: str = within(("auto", "product", "monomial", "monte_carlo"))
    nodes: int | None = only(("auto", "product"), "[1, 64]")
    degree: int | None = only(("monomial",), (3, 5))
    draws: int | None = only(("monte_carlo",), "[2, inf)")
    seed: int | None = only(("monte_carlo",), "[0, inf)")


@dataclass
class Sampling:
    """Where the training states come from."""

    paths: int = within(COUNT)
    periods: int = within(COUNT)
    burn_in: int = within("[0, inf)")
    shock_scale: float = within(POSITIVE)
    box_share: float = within(SHARE)


@dataclass
class Loss:
    """How residuals are weighed."""

    name: str = within(("mean_square", "huber", "log_cosh"))
    weights: dict[str, float] = within("[0, inf)")
    scale: float | None = only(("huber", "log_cosh"), POSITIVE)


@dataclass
class Optimizer:
    """A Keras optimizer and its options, Levenberg-Marquardt, or both one after the other."""

    name: str = within((*FIRST_ORDER, *SQUARES))
    learning_rate: float | None = only(GRADIENT, POSITIVE)
    options: dict[str, Any] | None = only(GRADIENT, None)
    clip_norm: float | None = only(GRADIENT, POSITIVE, optional=True)
    clip_value: float | None = only(GRADIENT, POSITIVE, optional=True)
    good_start: float | None = only(("adam_lm",), "[0, inf)")
    iterations: int | None = only(SQUARES, COUNT)
    states: int | None = only(SQUARES, "[5, inf)", optional=True)
    refresh: int | None = only(SQUARES, COUNT)
    polish: int | None = only(SQUARES, "[0, inf)")
    damping: float | None = only(SQUARES, POSITIVE)
    memory: float | None = only(SQUARES, POSITIVE)


@dataclass
class Schedule:
    """How the learning rate changes along training."""

    name: str = within(("constant", "cosine", "exponential", "inverse_time", "reduce_on_plateau"))
    rate: float | None = only(("exponential", "inverse_time", "reduce_on_plateau"), POSITIVE)
    every: int | None = only(("exponential", "inverse_time"), COUNT)
    patience: int | None = only(("reduce_on_plateau",), COUNT)
    final: float | None = only(("cosine", "reduce_on_plateau"), SHARE)


@dataclass
class Training:
    """The training loop: its length, its mini-batches, and when it stops."""

    steps: int = within("[0, inf)")
    batch: int = within(COUNT)
    epochs: int = within(COUNT)
    report_every: int = within(COUNT)
    target: float | None = within(POSITIVE)
    patience: int | None = within(COUNT)
    seconds: float | None = within(POSITIVE)
    checkpoint_seconds: float = within("[0, inf)")
    finish: bool = False
    tensorboard: bool = False


@dataclass
class Evaluation:
    """The states on which the verdict is measured."""

    paths: int = within(COUNT)
    periods: int = within(COUNT)
    burn_in: int | None = within("[0, inf)")
    box: int = within(COUNT)
    box_scale: float = within(POSITIVE)
    reference: bool = within((True, False))
    figures: bool = within((True, False))


@dataclass(frozen=True)
class Assessment:
    """By what a solution is judged: the rule that training used, fresh states, and the tolerance of the verdict."""

    expectation: Quadrature
    evaluation: Evaluation
    seed: int
    tolerance: float


@dataclass
class Settings:
    """All settings of a run. Not frozen, since Hydra composes into it."""

    model: dict[str, Any]  # `_target_`, the path of the class, and the parameters
    network: Network
    expectation: Quadrature
    sampling: Sampling
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    train: Training
    evaluation: Evaluation
    seed: int = within("[0, 2147483647]")
    dtype: str = within(("float64", "float32"))
    tolerance: float = within("(0, inf)")
    resume: str | None = None
    pseudo_states: dict[str, Any] = field(default_factory=dict)

    @property
    def assessment(self) -> Assessment:
        """By what the solution will be judged."""
        return Assessment(self.expectation, self.evaluation, self.seed, self.tolerance)
