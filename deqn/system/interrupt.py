"""Ctrl-C, SIGTERM and Slurm's SIGUSR2 end training and let the run evaluate and report what is there.

A second Ctrl-C stops at once. Other signals come twice without meaning it: `timeout` and Slurm send them to a process
and again to its group.
"""

import os
import signal
import sys
import threading
from typing import Any

SOON = 0.05  # seconds after which a Ctrl-C that came where exceptions are dropped is sent again


class Interrupt:
    """A context that notes the first signal in `signal`; outside the main thread it leaves signals alone.

    A handler that was installed before, but for Python's own, which raises KeyboardInterrupt, is called at the end of
    the context, when all is written: that of a cluster's launcher ends or requeues the process.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
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
