"""How much memory a piece of work may take: what would need more is refused before it begins, not when memory is full."""

import gc
import os

from allpay.errors import AllpayError, short

LIMIT = "ALLPAY_MEMORY"
"""The environment variable that sets how many GB one piece of work may take."""

USUAL = 3.0
"""How many it may take otherwise: what the smallest machines in use today have to give."""

GB = 1e9

FEW_LOOKS = 300_000
"""A program looks for circles of dead objects when so many more are alive than at the last look."""


def look_seldom() -> None:
    """Have this process look for circles of dead objects less often than Python does by itself.

    While modules are loaded it looks 400 times, at ever more objects none of which is dead: a sixth of a short command. Only
    programs of our own do this, and never whoever imports the package.
    """
    gc.set_threshold(FEW_LOOKS)


def check_memory(size: float, what: str, remedy: str) -> None:
    """Raise AllpayError if a piece of work would take too much memory.

    Args:
        size: how many bytes it takes, about.
        what: what takes them, as the beginning of a sentence that goes on with "would take … GB".
        remedy: what to give instead.
    """
    most = limit()
    if size > most * GB:
        raise AllpayError(
            f"{what} would take {size / GB:,.3g} GB of memory, more than {most:g} GB: {remedy}, or set {LIMIT} (in GB)"
        )


def limit() -> float:
    """How many GB one piece of work may take."""
    given = os.environ.get(LIMIT)
    if not given:
        return USUAL
    try:
        most = float(given)
    except ValueError:
        most = 0.0
    if not 0 < most < float("inf"):
        raise AllpayError(f"{LIMIT} must be a number of GB above 0: got {short(given)}; leave it out for {USUAL:g}")
    return most
