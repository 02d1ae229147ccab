"""Ctrl-C and SIGTERM end training and let the run evaluate and report what is there; a second Ctrl-C stops at once."""

import signal
import threading


class Interrupt:
    """A context that notes the first signal in `signal`; outside the main thread it leaves signals alone."""

    def __init__(self):
        self.signal: int | None = None
        self._previous = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_) -> None:
        for s, handler in self._previous.items():
            signal.signal(s, handler)

    def _note(self, number: int, frame) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
