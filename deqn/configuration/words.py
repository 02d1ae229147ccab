"""Words `key=value` in Hydra's syntax: letters of any alphabet, paths of any characters, parameters by Python's names.

Hydra's grammar of overrides knows ASCII letters alone. Here its lexer sees an ASCII letter in the place of any other
letter, while the text that it cuts into pieces stays as it was typed. This holds wherever Hydra parses an override: on
the command line, in a sweep, and in the processes of a launcher.
"""

import re
import unicodedata

from antlr4 import InputStream
from hydra.core.override_parser import overrides_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

PATHS = ("hydra.run.dir", "hydra.sweep.dir", "resume", "study")
IDENTIFIER = re.compile(r"(\+*)((?:model|pseudo_states)\..+)", re.DOTALL)  # keys that are names of Python's


def to_input_stream(text: str) -> InputStream:
    """The characters of an override as its lexer reads them: an ASCII letter stands for any other letter."""
    stream = InputStream(text)
    stream.data = [ord(c) if c.isascii() or not f"x{c}".isidentifier() else ord("x") for c in text]
    return stream


overrides_parser.InputStream = to_input_stream


def to_hydra_syntax(overrides: list[str]) -> list[str]:
    """Overrides as Hydra accepts them, paths in quotes where needed."""
    return [quote_path(o) if o.partition("=")[0] in PATHS else normalize_parameter(o) for o in overrides]


def normalize_parameter(override: str) -> str:
    """An override under the name that Python gives to a parameter.

    Keys of `pseudo_states` are added, since they are the model's parameters; so are parameters with letters beyond
    ASCII, whose name Python normalizes while the YAML file may not.
    """
    key, equals, value = override.partition("=")
    if equals and key == "pseudo_states":  # all of them at once
        return f"++{override}"
    match = IDENTIFIER.fullmatch(key)
    if not equals or match is None or (match[2].startswith("model.") and key.isascii()):
        return override
    return f"++{normalize_name(match[2])}={value}"


def normalize_name(name: str) -> str:
    """An identifier as Python stores it, in normal form KC: the micro sign and the Greek mu are one letter."""
    return unicodedata.normalize("NFKC", name)


def quote_path(override: str) -> str:
    """An override of a path, in quotes where Hydra would not read a text: a list, a number, a sweep, or nothing."""
    key, _, text = override.partition("=")
    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return assign(key, text)
    return override if isinstance(value, str | None) and text == text.strip() else assign(key, text)


def assign(key: str, text: str) -> str:
    """An override that sets a key to a text, whatever characters it has."""
    before_quotes = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # elsewhere a backslash stands for itself
    return key + "='" + before_quotes.replace("'", "\\'") + "'"
