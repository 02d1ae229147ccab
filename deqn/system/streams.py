"""Standard output and error that outlast their reader: a run of hours does not end because nobody looks any more."""

import io
import os
import sys
from typing import Any


class LastingFile(io.FileIO):
    """A file descriptor to write to; once a write fails (a closed pipe, a full disk) all goes to the null device."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return len(data)


def make_lasting() -> None:
    """Let standard output and error last, show ? for a letter that they cannot hold, and open those that are closed."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller; the next file to be opened must not take its place
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        elif stream is not getattr(sys, f"__{name}__"):
            continue  # someone else's, such as a test's
        encoding = "utf-8" if stream is None else stream.encoding
        raw = io.BufferedWriter(LastingFile(number, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, encoding, errors="replace", line_buffering=True))
