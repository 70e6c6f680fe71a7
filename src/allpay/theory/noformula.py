"""What a formula answers where it does not hold, and checks of the plain numbers that formulas take."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from allpay.contest.mechanism import ORDER_TOLERANCE
from allpay.errors import AllpayError, exactly, short
from allpay.scalars import real, whole

MOST_BIDDERS = 1_000_000
"""So many may take part; tables have a number of 8 bytes for each."""


@dataclass(frozen=True)
class NoFormula:
    """There is no closed form.

    Attributes:
        reason: why, in one sentence without a capital or a full stop.
    """

    reason: str


def check_number(what: str, given: float, least: float = 0.0, most: float = math.inf, *, above: bool = False) -> float:
    """The number itself.

    Args:
        above: whether `least` itself is too little.

    Raises:
        AllpayError: unless it is finite and within its bounds.
    """
    number = real(what, given)
    low_enough = number > least if above else number >= least
    if not (math.isfinite(number) and low_enough and number <= most):
        bound = f"{'above' if above else 'at least'} {least:g}" + (f" and at most {most:g}" if most < math.inf else "")
        raise AllpayError(f"{what} must be {bound} and finite: got {exactly(number)}")
    return number


def check_count(what: str, given: int, least: int, most: int = MOST_BIDDERS) -> int:
    """The whole number itself.

    Raises:
        AllpayError: unless it is whole and within its bounds.
    """
    number = whole(what, given)
    if number < least:
        raise AllpayError(f"{what} must be at least {least}: got {short(number)}")
    if number > most:
        raise AllpayError(f"{what} must be at most {most:,}: got {short(number)}")
    return number


def check_numbers(what: str, given: Iterable[float], *, above: bool = False) -> tuple[float, ...]:
    """Several numbers, each at least 0 and finite.

    Raises:
        AllpayError: if one is not, or there is none.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise AllpayError(f"{what} must be several numbers: got {short(given)}")
    found = tuple(check_number(f"{what}, number {k},", x, above=above) for k, x in enumerate(given, start=1))
    if not found:
        raise AllpayError(f"{what} must be at least one number: got none")
    return found


def check_falling(what: str, given: Sequence[float]) -> tuple[float, ...]:
    """Several numbers, each at least 0 and none above the one before it; what is above by rounding alone is made equal.

    Raises:
        AllpayError: if they are not so.
    """
    found = check_numbers(what, given)
    for k, (x, y) in enumerate(pairwise(found), start=1):
        if y > x + ORDER_TOLERANCE:
            raise AllpayError(
                f"{what} must be nonincreasing: got {exactly(x)} before {exactly(y)} (positions {k}, {k + 1})"
            )
    return tuple(accumulate(found, min))
