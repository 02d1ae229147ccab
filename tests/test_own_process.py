"""Processes of their own: exit codes, signals that are passed on, a parent that is killed, and jobs of a sweep."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest

from command_line import SHORT, wait_for
from deqn.system.lazy_tensorflow import find_devices, silence_stderr
from deqn.system.processes import explain_death, run_in_fork

WAITING = """
import os, pathlib, signal, time
from deqn.system.processes import run_in_fork
def work():
    noted = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, lambda n, frame: noted.append(n))
    pathlib.Path("ready").write_text(str(os.getpid()))
    while not noted:
        time.sleep(0.01)
    pathlib.Path("noted").write_text(str(noted))
    return 7
with run_in_fork(work) as fork:
    pass
print(fork.code, fork.signal)
"""


@pytest.fixture
def waiting(tmp_path):
    """A process and its fork, which waits for a signal; both in a group of their own."""
    process = subprocess.Popen([sys.executable, "-c", WAITING], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    wait_for(lambda: (tmp_path / "ready").exists() and (tmp_path / "ready").read_text())
    yield process
    process.kill()
    process.communicate()


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("work, code", [(lambda: 4, 4), (lambda: sys.exit(5), 5), (killed, -9), (lambda: 1 / 0, 1)])
def test_the_parent_learns_how_the_fork_ended(work, code, capfd):
    with run_in_fork(work) as fork:
        pass
    assert fork.code == code and fork.signal is None
    assert ("ZeroDivisionError" in capfd.readouterr().err) == (code == 1)


@pytest.mark.parametrize("end", [lambda: 0, killed])
def test_a_fork_leaves_no_temporary_files(end, tmp_path):
    names = tmp_path / "names"

    def work():
        with tempfile.NamedTemporaryFile(delete=False) as file:
            names.write_text(file.name)
        return end()

    with run_in_fork(work):
        pass
    left = Path(names.read_text())
    assert left.parent.name.startswith("deqn-") and not left.parent.exists()


def test_a_fork_of_a_process_that_has_computed_is_refused():
    """It would hang."""

    def work():
        with pytest.raises(RuntimeError, match="before this process was forked"):
            find_devices()
        return 0

    find_devices()
    with run_in_fork(work) as fork:
        pass
    assert fork.code == 0


def test_the_reason_names_the_signal():
    assert explain_death(-9) == "its process was killed by SIGKILL; was there too little memory?"
    assert (
        explain_death(-15) == "its process was killed by SIGTERM"
        and explain_death(3) == "its process ended with exit code 3"
    )


@pytest.mark.parametrize("everybody", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_reaches_the_fork_whether_or_not_the_parent_alone_got_it(waiting, tmp_path, number, everybody):
    """A terminal and `timeout` send signals to the whole group. No fork sees SIGINT twice, which would stop it."""
    (os.killpg if everybody else os.kill)(waiting.pid, number)
    assert waiting.communicate(timeout=30)[0] == f"7 {int(number)}\n"
    assert json.loads((tmp_path / "noted").read_text()).count(signal.SIGINT) <= 1


@pytest.mark.parametrize(("stop", "shown"), [(ValueError, "from a library\n"), (KeyboardInterrupt, "")])
def test_what_libraries_print_is_shown_only_beside_an_error(capfd, stop, shown):
    with pytest.raises(stop), silence_stderr():
        os.write(2, b"from a library\n")
        raise stop
    assert capfd.readouterr().err == shown


def test_the_fork_ends_with_its_parent(waiting, tmp_path):
    fork = int((tmp_path / "ready").read_text())
    waiting.kill()

    def is_gone():
        try:
            return Path(f"/proc/{fork}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    wait_for(is_gone, seconds=10)
    assert not (tmp_path / "noted").exists()


@pytest.mark.slow
def test_a_killed_job_fails_alone_and_ctrl_c_ends_the_sweep(forks, tmp_path):
    """Ten jobs: one with a bad setting, one killed; then the sweep is interrupted."""
    weights = ",".join(["{euler:1}", "{nope:1}", *(f"{{euler:{n}}}" for n in range(2, 10))])
    pid = forks.start(tmp_path, "-m", f"+loss.weights={weights}", *SHORT, "hydra.sweep.dir=all")
    jobs = tmp_path / "all"
    wait_for((jobs / "2" / "metrics.csv").exists)
    children = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert len(children) == 1
    os.kill(children[0], signal.SIGKILL)
    wait_for((jobs / "4" / "metrics.csv").exists)
    os.kill(pid, signal.SIGINT)
    code, output = forks.wait()
    assert code == 130 and "Traceback" not in output, output
    rows = pd.read_csv(jobs / "summary.csv")
    assert list(rows["status"][:4]) == ["converged", "failed", "failed", "converged"]
    assert rows["reason"][1] == "loss.weights.nope: the model's equations are euler"
    assert rows["reason"][2] == "its process was killed by SIGKILL; was there too little memory?"
    assert rows["status"][4] == "interrupted" and set(rows["status"][5:]) == {"not_run"}


@pytest.mark.slow
def test_a_job_of_a_sweep_has_the_bits_of_a_run_of_its_own(forks, tmp_path):
    assert forks.run(tmp_path, "-m", "seed=3,4", *SHORT, "hydra.sweep.dir=all")[0] == 0
    assert forks.run(tmp_path, "seed=4", *SHORT, "hydra.run.dir=one")[0] == 0
    one, other = (json.loads((tmp_path / p / "summary.json").read_text()) for p in ("one", "all/1"))
    assert one["euler_errors"] == other["euler_errors"]
    assert other["seconds"]["import"] < 1  # which was done once, before


def test_a_fork_is_not_left_behind_by_an_exception():
    began = time.monotonic()
    with pytest.raises(KeyError), run_in_fork(lambda: time.sleep(60) or 0) as fork:
        raise KeyError
    assert fork.code == -signal.SIGTERM and time.monotonic() - began < 30
