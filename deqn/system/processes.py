"""A process of its own for every job of a sweep and every trial of a search, forked from one that imported TensorFlow.

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

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)  # what `Interrupt` notes in a run


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
