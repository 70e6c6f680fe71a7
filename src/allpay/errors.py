"""The one exception that allpay raises for bad input, and the words to put in it."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 300
"""How many characters an error message has at most."""

CLOSE = 0.7
"""How alike two names must be for one to be suggested for the other: a slip of the keyboard, not another word."""


class AllpayError(ValueError):
    """Something the user gave cannot be used. The message names the value, the bound and the remedy, in one line.

    Whatever it was made of, its text is one line of printable characters, at most `LONGEST`: where it is longer, the middle
    is left out, since the value and the bound stand first and the remedy last.
    """

    def __str__(self) -> str:
        return shortened(one_line(super().__str__()), LONGEST)


def one_line(text: str) -> str:
    """A text without line breaks or other characters that would move a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters: of a longer one, more of the beginning than of the end."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 3]}…{text[len(text) - kept // 3 :]}"


def short(value: object, most: int = 80) -> str:
    """How a value is written in Python, on one line and cut short in the middle if that is long."""
    try:
        text = repr(value)
    except Exception:  # a whole number of thousands of digits, or somebody else's `__repr__`
        text = f"a {type(value).__name__}" + (" of very many digits" if isinstance(value, int) else "")
    return shortened(one_line(text), most)


def exactly(number: float) -> str:
    """A number in few digits where these say which it is, else in as many as it takes: 1.0000001 is not 1."""
    text = f"{number:g}"
    return text if float(text) == number else repr(float(number))


def printable(text: str) -> str:
    """A text of somebody else's as it may be shown on a terminal: codes that would move the cursor, or worse, spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


BEGUN = 4
"""So many letters of a name, from its first on, are enough to know which is meant."""


def one_of(what: str, given: str, choices: Iterable[str]) -> str:
    """Return `given` if it is among `choices`.

    Raises:
        AllpayError: if it is not; the message lists the choices and suggests the nearest.
    """
    choices = list(choices)
    if isinstance(given, str) and given in choices:
        return given
    raise AllpayError(f"unknown {what} {short(given)}: choose from {', '.join(choices)}{meant(given, choices)}")


def meant(given: object, choices: Iterable[str]) -> str:
    """A question whether the nearest of some names is meant, to be added to a message; empty if none is near."""
    choices = list(choices)
    text = given[:LONGEST] if isinstance(given, str) else ""
    close = get_close_matches(text, choices, n=1, cutoff=CLOSE) or [
        choice for choice in choices if len(text) >= BEGUN and choice.startswith(text)
    ]
    return f"; did you mean {close[0]!r}?" if close else ""
