"""The settings of a run: names, types and allowed values. Their values and what explains each stand in configs/."""

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
PREPARED = "adam_lm", "time_iteration_lm"  # least squares that other stages prepare
GRADIENT, SQUARES = (*FIRST_ORDER, *PREPARED), (*PREPARED, "levenberg_marquardt")
SWEEPS, BATCHES = ("time_iteration", "time_iteration_lm"), ("time_iteration", *SQUARES)


def allow(allowed: str | tuple[Any, ...]) -> Any:
    """A setting with an interval (for every entry of a list) or a choice of words."""
    return field(metadata={"allowed": allowed})


def allow_for(
    choices: tuple[str, ...], allowed: str | tuple[Any, ...] | None, not_empty: bool = False, optional: bool = False
) -> Any:
    """A setting that belongs to some choices of its group; under the others it stays unset."""
    metadata = {"allowed": allowed, "not_empty": not_empty, "choices": choices, "optional": optional}
    return field(default=None, metadata=metadata)


@dataclass
class Network:
    """What stands behind the policy function: a multilayer perceptron or a polynomial, and where it starts."""

    name: str = allow(("mlp", "chebyshev"))
    anchor: str = allow(("auto", "linear", "quadratic", "saturated", "steady_state", "none"))
    hidden: list[int] | None = allow_for(("mlp",), "[1, 65536]", not_empty=True, optional=True)
    activation: str | None = allow_for(("mlp",), ACTIVATIONS)
    initializer: str | None = allow_for(("mlp",), INITIALIZERS)
    l1: float | None = allow_for(("mlp",), "[0, inf)")
    l2: float | None = allow_for(("mlp",), "[0, inf)")
    dropout: float | None = allow_for(("mlp",), "[0, 1)")
    degree: int | None = allow_for(("chebyshev",), "[1, 64]")


@dataclass
class Quadrature:
    """The rule for expectations over normal shocks."""

    rule: str = allow(("auto", "product", "aligned", "monomial", "monte_carlo"))
    nodes: int | None = allow_for(("auto", "product", "aligned"), "[1, 64]", optional=True)
    degree: int | None = allow_for(("monomial",), (3, 5))
    draws: int | None = allow_for(("monte_carlo",), "[2, inf)")
    seed: int | None = allow_for(("monte_carlo",), "[0, inf)")


@dataclass
class Sampling:
    """Where the training states come from."""

    paths: int = allow(COUNT)
    periods: int = allow(COUNT)
    burn_in: int = allow("[0, inf)")
    shock_scale: float = allow(POSITIVE)
    box_share: float | None = allow(SHARE)


@dataclass
class Loss:
    """How residuals are weighed."""

    name: str = allow(("mean_square", "huber", "log_cosh"))
    weights: dict[str, float] = allow("[0, inf)")
    scale: float | None = allow_for(("huber", "log_cosh"), POSITIVE)


@dataclass
class Optimizer:
    """A Keras optimizer and its options, time iteration, Levenberg-Marquardt, or some of them one after the other."""

    name: str = allow((*FIRST_ORDER, *BATCHES))
    learning_rate: float | None = allow_for(GRADIENT, POSITIVE)
    options: dict[str, Any] | None = allow_for(GRADIENT, None)
    clip_norm: float | None = allow_for(GRADIENT, POSITIVE, optional=True)
    clip_value: float | None = allow_for(GRADIENT, POSITIVE, optional=True)
    good_start: float | None = allow_for(PREPARED, "[0, inf)")
    sweeps: int | None = allow_for(SWEEPS, COUNT)
    iterations: int | None = allow_for(SQUARES, COUNT)
    states: int | None = allow_for(BATCHES, "[5, inf)", optional=True)
    refresh: int | None = allow_for(SQUARES, COUNT)
    polish: int | None = allow_for(SQUARES, "[0, inf)")
    damping: float | None = allow_for(SQUARES, POSITIVE)
    memory: float | None = allow_for(BATCHES, POSITIVE)


@dataclass
class Schedule:
    """How the learning rate changes along training."""

    name: str = allow(("constant", "cosine", "exponential", "inverse_time", "reduce_on_plateau"))
    rate: float | None = allow_for(("exponential", "inverse_time", "reduce_on_plateau"), POSITIVE)
    every: int | None = allow_for(("exponential", "inverse_time"), COUNT)
    patience: int | None = allow_for(("reduce_on_plateau",), COUNT)
    final: float | None = allow_for(("cosine", "reduce_on_plateau"), SHARE)


@dataclass
class Training:
    """The training loop: its length, its mini-batches, and when it stops."""

    steps: int = allow("[0, inf)")
    batch: int = allow(COUNT)
    epochs: int = allow(COUNT)
    report_every: int = allow(COUNT)
    target: float | None = allow(POSITIVE)
    patience: int | None = allow(COUNT)
    seconds: float | None = allow(POSITIVE)
    checkpoint_seconds: float = allow("[0, inf)")
    finish: bool = False
    tensorboard: bool = False


@dataclass
class Evaluation:
    """The states on which the verdict is measured."""

    paths: int = allow(COUNT)
    periods: int = allow(COUNT)
    burn_in: int | None = allow("[0, inf)")
    box: int = allow(COUNT)
    box_scale: float = allow(POSITIVE)
    reference: bool = allow((True, False))
    figures: bool = allow((True, False))


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
    seed: int = allow("[0, 2147483647]")
    dtype: str = allow(("float64", "float32"))
    tolerance: float = allow("(0, inf)")
    start: str | None = None
    resume: str | None = None
    pseudo_states: dict[str, Any] = field(default_factory=dict)
    continuation: dict[str, Any] = field(default_factory=dict)
