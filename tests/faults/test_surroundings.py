"""Where a command may find itself: no terminal, no home, odd locales and folders, no network, nobody who reads on."""

import errno
import os
import shutil
import subprocess

import pytest

from command_line import SHORT, command, deqn_solve
from deqn.commands.arguments import run_guarded


@pytest.mark.slow
def test_an_odd_place_is_no_obstacle(tmp_path):
    """All at once: offline where the system can do that, a locale that is not installed, no HOME, umlauts, blanks."""
    folder = tmp_path / "Mit Leerzeichen und Umläuten 'é'"
    folder.mkdir()
    offline = ["unshare", "-rn"] if shutil.which("unshare") else []
    if offline and subprocess.run([*offline, "true"], capture_output=True).returncode:
        offline = []
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "LANG", "TERM", "PYTHONUTF8")}
    env = kept | {"LC_ALL": "de_DE.ISO-8859-1", "NO_COLOR": "1"}
    words = command(
        *(w for w in SHORT if w != "evaluation.figures=false"), "hydra.run.dir=Läufe/x y", "evaluation.box=64"
    )
    done = subprocess.run([*offline, *words], cwd=folder, env=env, capture_output=True, timeout=300)
    out, err = (s.decode("ascii", "replace") for s in (done.stdout, done.stderr))
    assert done.returncode == 0 and err == "", err
    assert "PASS growth" in out and "\x1b" not in out and "Traceback" not in out
    run = folder / "Läufe" / "x y"
    assert (run / "report.html").exists() and len(list((run / "figures").glob("*.png"))) == 5
    done = deqn_solve(folder, "resume=Läufe/x y", "train.steps=500")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_outlasts_its_reader(tmp_path):
    with open(tmp_path / "errors.txt", "w") as errors:
        running = subprocess.Popen(command(*SHORT, "hydra.run.dir=run"), cwd=tmp_path, stdout=subprocess.PIPE,
                                   stderr=errors)  # fmt: skip
        running.stdout.close()  # as `| head` does
        assert running.wait(timeout=300) == 0
    assert (tmp_path / "errors.txt").read_text() == "" and (tmp_path / "run" / "report.html").exists()


SHORTAGES = [MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), RuntimeError("can't start new thread"),
             ImportError("libx.so: failed to map segment from shared object")]  # fmt: skip


@pytest.mark.parametrize("error", SHORTAGES)
def test_too_little_memory_is_a_failure_of_its_own(error, capsys):
    def refused(arguments):
        raise error

    with pytest.raises(SystemExit) as ended:
        run_guarded("deqn-solve", refused)
    assert ended.value.code == 6
    said = capsys.readouterr().err
    assert said.startswith("deqn-solve: too little memory (") and "lower train.batch" in said


def test_an_error_that_nobody_foresees_keeps_its_traceback():
    def wrong(arguments):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_guarded("deqn-solve", wrong)
