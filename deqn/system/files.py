"""Folders and files of a run: claimed once, written whole or not at all. Needs no TensorFlow."""

import contextlib
import fcntl
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from deqn.system.errors import FileError


def claim_new_folder(wanted: str) -> str:
    """Claim a new folder: the wanted one, or the first of wanted_2, wanted_3, ... that does not exist."""
    for n in range(1, 1000):
        path = Path(wanted if n == 1 else f"{wanted}_{n}")
        if make_folder(path, exist_ok=False):
            return str(path)
    raise FileError(f"cannot make a new folder beside {wanted}")


def make_folder(path: Path, exist_ok: bool) -> bool:
    """Make a folder; returns whether it is new. Raises FileError."""
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError as error:
        if exist_ok or not path.is_dir():
            raise FileError(f"{path} is a file, not a folder") from error
        return False
    except OSError as error:
        raise FileError(f"cannot make the folder {path}: {error.strerror or error}") from error
    return True


@contextlib.contextmanager
def guard_write(path: Path) -> Iterator[None]:
    """Raise a system error of the block as a FileError that names the file."""
    try:
        yield
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error


def lock_file(path: Path, user: str) -> TextIO:
    """A file to append to. While it is open, no other `user`, such as a run, can open it. Raises FileError."""
    with guard_write(path):
        stream = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise FileError(f"{path.parent} is in use by another {user}") from error
    return stream


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its name once it is complete. Raises FileError."""
    temporary = path.with_name(f"{path.stem}.tmp{path.suffix}")
    try:
        with guard_write(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises FileError."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(without_nonfinite(content), indent=1) + "\n")


def without_nonfinite(content: Any) -> Any:
    """Nested content with plain numbers, and None for those that JSON cannot hold."""
    if isinstance(content, dict):
        return {key: without_nonfinite(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [without_nonfinite(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    return None if isinstance(content, float) and not math.isfinite(content) else content


def format_error(x: float | None) -> str:
    """Two digits, as in 1.2e-05."""
    return "-" if x is None else f"{x:.1e}"
