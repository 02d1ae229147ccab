"""Files of a run: written whole or not at all, numbers in plain formats. Needs no TensorFlow."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deqn.errors import FileError


def csv_text(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV with a header."""
    return pd.DataFrame(rows).to_csv(index=False)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises FileError."""
    half = path.with_name(path.name + ".tmp")
    try:
        half.write_text(text, encoding="utf-8")
        os.replace(half, path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON; a number that is not finite becomes null."""
    write_text(path, json.dumps(finite(content), indent=1) + "\n")


def finite(content: Any) -> Any:
    """Nested content with plain numbers, and None for those that JSON cannot hold."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [finite(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def number(x: float) -> str:
    """Two digits, as in 1.2e-05."""
    return "-" if x is None else f"{x:.1e}"
