"""Signals that end a run, and a fork for every job of a sweep and every trial of a search, by a parent with TensorFlow.

A function that XLA has compiled keeps 2 to 3 MiB for the life of its process, whatever is deleted. A fork ends with its
job and needs no second import. It is safe as long as its parent has computed nothing, which would have started threads
and opened devices: the parent calls `import_tensorflow`, and the fork `find_devices`.
"""

import contextlib
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)  # Ctrl-C, SIGTERM and Slurm's warning
SOON = 0.05  # seconds after which a Ctrl-C that came where exceptions are dropped is sent again


class Interrupt:
    """A context that notes the first signal in `signal`; outside the main thread it leaves signals alone.

    Training ends then, and the run evaluates and reports what is there. A second Ctrl-C stops at once; `timeout` and
    Slurm send other signals twice without meaning it, to a process and again to its group. An earlier handler but
    Python's own is called at the end of the context: that of a cluster's launcher ends or requeues the process.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                self._previous[number] = signal.signal(number, self._note)
            self._hook, sys.unraisablehook = sys.unraisablehook, self._dropped
        return self

    def __exit__(self, failure: type | None, *_: Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not one of Python's
        if self._previous:
            sys.unraisablehook = self._hook
        earlier = self._previous.get(self.signal or 0)
        if failure is None and callable(earlier) and earlier is not signal.default_int_handler:
            earlier(self.signal, None)  # no frame is being interrupted any more

    def _note(self, number: int, frame: Any) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = self.signal or number

    def _dropped(self, unraisable: Any) -> None:
        """Send a Ctrl-C again that came while an object was being deleted, where Python drops exceptions."""
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(SOON, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            self._hook(unraisable)


@dataclass
class Fork:
    """A forked process: what is known of it in its parent."""

    number: int
    code: int = 0  # its exit code once it has ended, negative for the signal that killed it
    signal: int | None = None  # that was passed on to it

    def pass_on(self, number: int, frame: object) -> None:
        """Handle a signal in the parent. Ctrl-C reaches both processes or the parent alone, and a second stops a run.

        The first is therefore passed on as SIGTERM, which a run that has noted a signal ignores.
        """
        first = self.signal is None
        self.signal = self.signal or number
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGTERM if first and number == signal.SIGINT else number)


@contextlib.contextmanager
def run_in_fork(work: Callable[[], int]) -> Iterator[Fork]:
    """Run `work`, which returns an exit code, in a fork, and the block in this process; then wait for the fork's end.

    The fork ends with this process, also if that is killed, and by SIGTERM if the block raises an exception. Its
    temporary files (TensorFlow writes a dozen) are in a folder that is removed after its end, however it ended.
    """
    with tempfile.TemporaryDirectory(prefix="deqn-", ignore_cleanup_errors=True) as folder:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        ours, theirs = os.pipe()  # at its end once this process has ended
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        number = os.fork()
        if number == 0:
            os.close(theirs)
            tempfile.tempdir = folder
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            threading.Thread(target=exit_after, args=(ours,), daemon=True).start()
            os._exit(find_exit_code(work))
        os.close(ours)
        fork = Fork(number)
        main = threading.current_thread() is threading.main_thread()
        handlers = {n: signal.signal(n, fork.pass_on) for n in ENDING} if main else {}
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            yield fork
        except BaseException:
            os.kill(number, signal.SIGTERM)
            raise
        finally:
            fork.code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
            os.close(theirs)
            for n, handler in handlers.items():
                signal.signal(n, signal.SIG_DFL if handler is None else handler)


def exit_after(pipe: int) -> None:
    """End this process, at once, when the other end of a pipe is closed."""
    os.read(pipe, 1)
    os._exit(128 + signal.SIGKILL)


def find_exit_code(work: Callable[[], int]) -> int:
    """What `work` returns or exits with, 130 for Ctrl-C, 1 after an exception, whose traceback is printed."""
    try:
        return work()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()


def explain_death(code: int) -> str:
    """Why a process has no result, by its exit code."""
    if code >= 0:
        return f"its process ended with exit code {code}"
    hint = "; was there too little memory?" if code in (-signal.SIGKILL, -signal.SIGABRT) else ""
    return f"its process was killed by {signal.Signals(-code).name}{hint}"
