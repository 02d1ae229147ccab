"""The gallery: solved economies that come with the package, named `gallery:NAME` wherever a run's folder is asked for.

An entry holds what loads and judges a solution (config.yaml, summary.json, the weights), and `entry.json`: the command,
hashes of the model's file and of the settings, versions, seconds and the kind of machine. Needs no TensorFlow.
"""

import hashlib
import inspect
from importlib.resources import files
from pathlib import Path

from deqn.configuration.job import Job
from deqn.settings.ranges import suggest
from deqn.system.errors import FileError

PREFIX = "gallery:"
PACKAGE = "deqn.gallery"


def list_entries() -> dict[str, Path]:
    """The folders of all entries by name; none where the package came without them."""
    try:
        place = Path(str(files(PACKAGE)))
    except ModuleNotFoundError:
        return {}
    return {folder.name: folder for folder in sorted(place.iterdir()) if (folder / "entry.json").exists()}


def find_folder(run: str | Path) -> Path:
    """The folder of a run, or of the entry that `gallery:NAME` names. Raises FileError for a name that is none."""
    if not str(run).startswith(PREFIX):
        return Path(run)
    name, entries = str(run).removeprefix(PREFIX), list_entries()
    if name not in entries:
        known = ", ".join(entries) or "no economy: the package came without them"
        raise FileError(f"{run}: {suggest(name, list(entries))}the gallery holds {known}")
    return entries[name]


def name_run(folder: Path) -> str:
    """`gallery:NAME` for an entry's folder, else the folder itself."""
    return f"{PREFIX}{folder.name}" if folder in list_entries().values() else str(folder)


def find_place(run: str | Path) -> Path:
    """The folder into which answers about a run go: its own, or outputs/NAME for an entry of the gallery."""
    return Path("outputs") / str(run).removeprefix(PREFIX) if str(run).startswith(PREFIX) else Path(run)


def hash_model(job: Job) -> str:
    """Of the file in which a job's model stands."""
    return hash_text(Path(inspect.getfile(type(job.model))).read_text(encoding="utf-8"))


def hash_settings(job: Job) -> str:
    """Of all settings of a job."""
    return hash_text(job.config_yaml)


def hash_text(text: str) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
