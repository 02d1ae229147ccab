"""Kill -9 at any moment: a run that is gone on with ends with the very weights and rows of one left alone."""

import contextlib
import os
import random
import signal
import time

import pytest

from command_line import LITTLE, THREE_STAGES, assert_identical, metrics, wait_for

KILLS = 20
FRESH = (*THREE_STAGES, "hydra.run.dir=parts")


@pytest.mark.slow
def test_a_kill_costs_one_interval_at_most(forks, tmp_path):
    interval = 2
    pid = forks.start(tmp_path, "model.delta=0.5", "optimizer=adam", "train.steps=10000000", *LITTLE,
                      f"train.checkpoint_seconds={interval}", "hydra.run.dir=run")  # fmt: skip
    place = tmp_path / "run" / "checkpoints"
    wait_for(lambda: len(list(place.glob("*.index"))) > 1)  # the first belongs to the start, before compilation
    time.sleep(2.2 * interval)
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    assert forks.wait()[0] == -signal.SIGKILL
    newest = max(p.stat().st_mtime for p in place.glob("*.index"))
    assert killed - newest < interval + 2  # a chunk of steps takes up to a second


def newest(run):
    """The number of the newest checkpoint."""
    return max((int(p.stem.removeprefix("ckpt-")) for p in run.glob("checkpoints/ckpt-*.index")), default=0)


def reports(run):
    """How many there are in metrics.csv."""
    return (run / "metrics.csv").read_bytes().count(b"\n") if (run / "metrics.csv").exists() else 0


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_twenty_kills_change_nothing(forks, three_stages, tmp_path):
    """Half of them anywhere, also before training; half just after reports that are spread over the whole run."""
    rng, places, run = random.Random(0), set(), tmp_path / "parts"
    for n in range(KILLS):
        pid, due = forks.start(tmp_path, *(("resume=parts",) if (run / "config.yaml").exists() else FRESH)), 0
        if n % 2:
            due = max(reports(run) + 1, reports(three_stages) * n // KILLS)
            wait_for(lambda pid=pid, due=due: reports(run) >= due or not is_running(pid))
        time.sleep(rng.uniform(0, 0.1 if n % 2 else 3))
        with contextlib.suppress(ProcessLookupError):  # the last ones may find it finished
            os.kill(pid, signal.SIGKILL)
        code, output = forks.wait()
        assert code in (-signal.SIGKILL, 0), output
        places.add((metrics(run)["stage"].iloc[-1], newest(run)) if (run / "metrics.csv").exists() else "before")
    assert len(places) > 5 and len({place[0] for place in places}) > 2  # at many places, in more than one stage
    code, output = forks.run(tmp_path, "resume=parts")
    assert code == 0 and "Traceback" not in output
    assert_identical(three_stages, run)
    assert metrics(run)["step"].is_monotonic_increasing and not metrics(run).duplicated().any()
    assert not list(run.rglob("*.tmp*")) and not list(run.rglob("*unfinished*")) and not list(run.rglob("*_temp*"))
