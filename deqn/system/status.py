"""Progress of what takes long: a status line on a terminal, one line of text elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.status import Status


@contextlib.contextmanager
def show_status(console: Console) -> Iterator[Callable[[str], None]]:
    """A function that shows a text: a terminal shows the newest until the end, anything else only the first."""
    status = Status("", console=console)
    told: list[str] = []

    def tell(text: str) -> None:
        status.update(text)
        if console.is_terminal:
            status.start()
        elif not told:
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        told.append(text)

    try:
        yield tell
    finally:
        status.stop()
