"""summary.json as it is read: the number that decides a run. Needs no TensorFlow."""

from typing import Any


def path_error(summary: dict[str, Any]) -> dict[str, Any]:
    """The worst equation on the simulated path: its name as `equation`, and the `mean` by which a run passes or fails.

    A run of an earlier release recorded only the mean over all equations.
    """
    if "worst_equation" in summary:
        return summary["worst_equation"]["path"]
    return {"equation": "all", "mean": summary["euler_errors"]["path"]["all"]["mean"]}
