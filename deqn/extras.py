"""Parts of the package that are installed on request, such as `pip install "deqn[joblib]"`."""

from importlib.util import find_spec

from deqn.errors import InputError

LAUNCHERS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit"}  # and the extra of each


def check_launcher(launcher: str | None) -> None:
    """The launcher of a sweep's jobs, None for the one that Hydra brings, is installed. Raises InputError."""
    extra = LAUNCHERS.get(launcher)
    if extra is not None:
        check_extra(extra, f"hydra_plugins.hydra_{extra}_launcher", f"hydra/launcher={launcher}")


def check_extra(extra: str, module: str, what: str) -> None:
    """The module that an extra brings is there. Raises InputError with the command that installs it."""
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing, too
        found = False
    if not found:
        raise InputError(f'{what} needs an extra of the package: pip install "deqn[{extra}]"')
