"""Kill -9 at any moment: a run that is gone on with ends with the very weights and rows of one left alone."""

import contextlib
import os
import random
import signal
import time

import pytest

from command_line import THREE_STAGES, Forks, assert_identical, metrics

KILLS = 20
FRESH = (*THREE_STAGES, "hydra.run.dir=parts")


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path):
    forks, rng, places = Forks(), random.Random(0), set()
    began = time.monotonic()
    forks.start(tmp_path, *THREE_STAGES, "hydra.run.dir=whole")
    assert forks.wait()[0] == 0
    seconds = time.monotonic() - began
    run = tmp_path / "parts"
    for _ in range(KILLS):
        pid = forks.start(tmp_path, *(("resume=parts",) if (run / "config.yaml").exists() else FRESH))
        time.sleep(rng.uniform(0, 0.9 * seconds))
        with contextlib.suppress(ProcessLookupError):  # the last ones may find it finished
            os.kill(pid, signal.SIGKILL)
        code, output = forks.wait()
        assert code in (-signal.SIGKILL, 0), output
        places.add(len(metrics(run)) if (run / "metrics.csv").exists() else -1)
    assert len(places) > 2  # so that it was killed at different places of the training
    forks.start(tmp_path, "resume=parts")
    code, output = forks.wait()
    forks.close()
    assert code == 0 and "Traceback" not in output
    assert_identical(tmp_path / "whole", run)
    assert metrics(run)["step"].is_monotonic_increasing and not metrics(run).duplicated().any()
    assert not list(run.rglob("*.tmp*")) and not list(run.rglob("*unfinished*")) and not list(run.rglob("*_temp*"))
