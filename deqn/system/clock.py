"""How long each phase of a run took."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds by phase, and in all since `started` (time.monotonic)."""

    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("import", "compile", "train", "evaluate", "report"), 0.0)
    )

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the block's time to a phase."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] += time.monotonic() - began

    def seconds(self) -> dict[str, float]:
        """All phases and the total, rounded to milliseconds."""
        total = {"total": time.monotonic() - self.started}
        return {name: round(x, 3) for name, x in {**total, **self.phases}.items()}
