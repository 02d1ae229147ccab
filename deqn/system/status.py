"""What is said while something takes long: a status line on a terminal, one line of text elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.status import Status


@contextlib.contextmanager
def show_status(console: Console) -> Iterator[Callable[[str], None]]:
    """A function that shows a text: the newest on a terminal until the end, elsewhere the first alone."""
    status: list[Status] = []

    def tell(text: str) -> None:
        if status:
            status[0].update(text)
            return
        status.append(Status(text, console=console))
        if console.is_terminal:
            status[0].start()
        else:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    try:
        yield tell
    finally:
        for shown in status:
            shown.stop()
