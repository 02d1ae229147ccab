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


def exit_code(status: str, signal: int | None) -> int:
    """The exit code for a run's status; an interrupted run ends as its signal asks, 128 + number."""
    if signal is not None:
        return 128 + signal
    return {"converged": 0, "diverged": 3, "not_converged": 4, "interrupted": 130}.get(status, 1)


def first_line(error: Exception) -> str:
    """What an exception says: its first line, at most 200 characters, or its type where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
