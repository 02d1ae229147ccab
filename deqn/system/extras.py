"""Parts of the package that are installed on request, such as `pip install "deqn[joblib]"`."""

from importlib.util import find_spec

from deqn.system.errors import InputError

LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit"}  # and the extra of each


def check_launcher(launcher: str | None) -> None:
    """Refuse a launcher whose extra is not installed; None is Hydra's own launcher. Raises InputError."""
    if (extra := LAUNCHERS.get(launcher or "")) is not None:
        check_extra(extra, f"hydra_plugins.hydra_{extra}_launcher", f"hydra/launcher={launcher}")


def check_extra(extra: str, module: str, what: str) -> None:
    """Refuse `what` if its extra is not installed. Raises InputError with the command that installs it."""
    if not is_installed(module):
        raise InputError(f'{what} needs an extra of the package: pip install "deqn[{extra}]"')


def is_installed(module: str) -> bool:
    """Whether a module could be imported, as far as its file tells."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # the package around it is missing, or what has its name is no module of a file
        return False
