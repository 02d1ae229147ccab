"""Full and read-only disks: exit code 5 and the reason in a line, nothing half under a final name, and a run that goes
on where there is room again. A small file system of its own stands for the disk."""

import errno
import os
import subprocess

import pandas as pd
import pytest

from command_line import ONE_STAGE, assert_identical
from deqn.reporting import figures, html_report
from deqn.training.checkpoint import Checkpoints
from deqn.training.report import Metrics

PLACES = {  # what is called just after the disk has run full, how often before, and what the message names
    "start": (None, 0, "disk/run"),
    "checkpoint": ((Checkpoints, "save"), 3, "disk/run/checkpoints/ckpt-"),
    "metrics": ((Metrics, "add"), 0, "disk/run/metrics.csv"),
    "figure": ((figures, "draw_policy_functions"), 0, "disk/run/figures/policies.png"),
    "report": ((html_report, "render_run"), 0, "disk/run/report.html"),
}
PICTURES = tuple(a for a in ONE_STAGE if a != "evaluation.figures=false")


@pytest.fixture
def disk(tmp_path):
    """A disk of four megabytes, in which a run has room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk):
    """Write until nothing fits any more."""
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_costs_nothing_but_time(here, disk, one_stage, monkeypatch, place):
    target, meetings, named = PLACES[place]
    with monkeypatch.context() as injected:
        if target is None:
            fill(disk)
        else:
            called, left = getattr(*target), [meetings]

            def full(*arguments, **keywords):
                if left[0] == 0:
                    fill(disk)
                left[0] -= 1
                return called(*arguments, **keywords)

            injected.setattr(*target, full)
        done = here(*PICTURES, "hydra.run.dir=disk/run")
    assert done.returncode == 5
    assert named in done.stderr and "No space left on device" in done.stderr and len(done.stderr.splitlines()) == 1
    for path in disk.rglob("*"):
        assert ".tmp" not in path.name and path.name != "unfinished", path
    for table in ("euler_errors.csv", "moments.csv"):
        if (disk / "run" / table).exists():
            assert len(pd.read_csv(disk / "run" / table)) > 3
    os.unlink(disk / "filler")
    again = ("resume=disk/run",) if target else (*PICTURES, "hydra.run.dir=disk/run")
    done = here(*again)
    assert done.returncode == 0, done.stderr
    assert_identical(one_stage, disk / "run")


@pytest.mark.slow
def test_a_disk_that_cannot_be_written_is_named(here, disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for arguments in (("hydra.run.dir=disk/run",), ("-m", "seed=0,1", "hydra.sweep.dir=disk/sweep")):
        done = here(*arguments)
        assert done.returncode == 5 and len(done.stderr.splitlines()) == 1 and done.stdout == ""
        assert "disk/" in done.stderr and "Read-only file system" in done.stderr
