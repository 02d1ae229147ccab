"""How long each phase of a run took."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

PHASES = ("import", "compile", "train", "evaluate", "report")


@dataclass
class Clock:
    """Seconds by phase, and in all since `started` (time.monotonic)."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the block's time to a phase."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] += time.monotonic() - began

    def seconds(self) -> dict[str, float]:
        return {n: round(x, 3) for n, x in {"total": time.monotonic() - self.started, **self.phases}.items()}
