"""Inventories of other projects' pages, for the types that the API names: written here, so that nothing is fetched."""

import zlib
from pathlib import Path

HEAD = """# Sphinx inventory version 2
# Project: {}
# Version:
# The remainder of this file is compressed using zlib.
"""
PAGES = {  # project -> address, and name of a class -> its page
    "python": (
        "https://docs.python.org/3",
        {
            "collections.abc.Callable": "library/collections.abc.html#collections.abc.Callable",
            "collections.abc.Mapping": "library/collections.abc.html#collections.abc.Mapping",
            "collections.abc.Sequence": "library/collections.abc.html#collections.abc.Sequence",
            "pathlib.Path": "library/pathlib.html#pathlib.Path",
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable",
        {"numpy.ndarray": "reference/generated/numpy.ndarray.html"},
    ),
    "pandas": (
        "https://pandas.pydata.org/docs",
        {"pandas.DataFrame": "reference/api/pandas.DataFrame.html"},
    ),
    "tensorflow": (
        "https://www.tensorflow.org/api_docs/python",
        {"tensorflow.python.framework.tensor.Tensor": "tf/Tensor"},
    ),
}


def write_inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each project; returns the mapping of sphinx.ext.intersphinx."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (address, pages) in PAGES.items():
        rows = "".join(f"{name} py:class 1 {page} -\n" for name, page in pages.items())
        file = folder / f"{project}.inv"
        file.write_bytes(HEAD.format(project).encode() + zlib.compress(rows.encode()))
        mapping[project] = (address, str(file))
    return mapping
