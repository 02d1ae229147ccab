"""The failures that a user can meet, each with its documented exit code."""


class DeqnError(Exception):
    """A failure that is explained to the user in a few lines, without a traceback."""

    exit_code = 1


class InputError(DeqnError):
    """The configuration, a parameter or the model itself is wrong; the message names what, and what is allowed."""

    exit_code = 2


class FileError(DeqnError):
    """A folder or file cannot be written, read, or does not belong to this run."""

    exit_code = 5


class MemoryShortage(DeqnError):
    """The process was given less memory than it needs."""

    exit_code = 6


REFUSED = ("annot allocate memory", "failed to map segment", "can't start new thread", "esource exhausted")


def to_deqn_error(error: BaseException) -> DeqnError | None:
    """The failure that an exception stands for: itself, or too little memory; None where it is not foreseen."""
    if isinstance(error, DeqnError):
        return error
    cause: BaseException | None = error
    while cause is not None:
        refused = isinstance(cause, MemoryError) or type(cause).__name__ == "ResourceExhaustedError"
        if refused or any(word in str(cause) for word in REFUSED):
            return MemoryShortage(f"too little memory ({type(cause).__name__}); allow the process more, or lower "
                                  f"train.batch, optimizer.states or evaluation.box")  # fmt: skip
        cause = cause.__cause__
    return None


def choose_exit_code(status: str, signal: int | None) -> int:
    """The exit code for a run's status; an interrupted run ends as its signal asks, 128 + number."""
    codes = {"converged": 0, "diverged": 3, "not_converged": 4, "interrupted": 130}
    return codes.get(status, 1) if signal is None else 128 + signal


def first_line(error: BaseException) -> str:
    """What an exception says: its first line, at most 200 characters, or its type where it says nothing."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line.split(" [Op:")[0][:200]  # less the operation's name in TensorFlow
