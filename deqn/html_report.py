"""Pages in one file each, made from templates/: what a run, or a sweep, shows in a browser."""

import base64
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def templates() -> Environment:
    """The package's templates; whatever is filled in is escaped, and a name that is not given is an error."""
    return Environment(
        loader=PackageLoader("deqn"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(template: str, **content: Any) -> str:
    """The text of a template with its content filled in: `page("run.html", model="growth", ...)`.

    A page extends base.html and fills its blocks `title`, `heading` and `content`; macros.html has `table`, `verdict`
    and `picture`.
    """
    return templates().get_template(template).render(content)


def embedded(picture: Path) -> str:
    """A PNG as an address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
