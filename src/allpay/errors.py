"""The one exception that allpay raises for bad input, and the words to put in it."""

from collections.abc import Iterable
from difflib import get_close_matches


class AllpayError(ValueError):
    """Something the user gave cannot be used. The message names the value, the bound and the remedy, in one line."""


def short(value: object, most: int = 80) -> str:
    """How a value is written in Python, cut short in the middle if that is long."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # a whole number of thousands of digits
        text = f"a {type(value).__name__} of very many digits"
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 4 :]}"


def one_of(what: str, given: str, choices: Iterable[str]) -> str:
    """Return `given` if it is among `choices`.

    Raises:
        AllpayError: if it is not; the message lists the choices and suggests the nearest.
    """
    choices = list(choices)
    if given in choices:
        return given
    close = get_close_matches(str(given), choices, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise AllpayError(f"unknown {what} {given!r}: choose from {', '.join(choices)}{hint}")
