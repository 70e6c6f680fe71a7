"""Numbers as they come in: scalars of NumPy, JAX and other libraries become Python's own, what is no number is refused, and
so is what memory or arithmetic cannot hold.
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from allpay.errors import AllpayError, exactly, short
from allpay.frozen import asked

MOST = 1e100
"""No amount of money is larger, so that products of several of them are still numbers."""

MOST_WHOLE = 2**128
"""No count or seed is larger; it can be written and made a float."""

LEAST = 1e-100
"""Nor is one smaller that is not 0."""

LEAST_APART, MOST_FIXED = 1e4, 1e15
"""From the first on, numbers that people read have their thousands apart; from the second on, they have a power of ten."""


@dataclass(frozen=True)
class Bound:
    """How large a number may be, declared beside the type of a field: `cost_power: Annotated[float, Bound(above=0)] = 1.0`.

    Attributes:
        above, at_least: what it must exceed, or may not fall below.
        at_most: what it may not exceed.
        or_zero: whether it may be 0 beside.
        low, high: how the bounds are said, where not as "be above 0" and "be at most 1".
        remedy: what to do where the number is too large.
    """

    above: float | None = None
    at_least: float | None = None
    at_most: float = math.inf
    or_zero: bool = False
    low: str = ""
    high: str = ""
    remedy: str = ""

    def check(self, what: str, number: float) -> None:
        """Raise AllpayError unless the number keeps to the bounds, infinity and NaN among the rest."""
        if self.or_zero and number == 0:
            return
        low = -math.inf if self.at_least is None else self.at_least
        fits = number >= low and (self.above is None or number > self.above)
        if not fits or number == math.inf:
            words = f"be above {written(self.above)}" if self.above is not None else f"be at least {written(low)}"
            raise AllpayError(f"{what} must {self.low or words}: got {written(number)}")
        if number > self.at_most:
            remedy = f"; {self.remedy}" if self.remedy else ""
            words = self.high or f"be at most {written(self.at_most)}"
            raise AllpayError(f"{what} must {words}: got {written(number)}{remedy}")


def written(number: float) -> str:
    """A number as messages show it: thousands apart where it is whole, whatever its size."""
    if isinstance(number, int):
        return f"{number:,}" if abs(number) < 10**18 else short(number, 30)
    return f"{number:,.0f}" if number.is_integer() and 1e6 <= abs(number) < MOST_FIXED else exactly(number)


def holding(low: float, high: float, number: float) -> tuple[float, float]:
    """The ends of an interval, moved apart as far as it takes to hold a number.

    >>> holding(0.84, 0.92, 0.82)
    (0.82, 0.92)
    """
    return min(low, number), max(high, number)


def numeral(number: float, digits: int = 6) -> str:
    """A number in a sentence: so many digits, without zeros at its end. Amounts of money are such numbers: a large one has
    all digits before its point, thousands apart, and no power of ten.

    >>> numeral(0.4), numeral(2 / 3, 3), numeral(18_234.5, 4), numeral(360.0, 2), numeral(3e7), numeral(1e-6)
    ('0.4', '0.667', '18,234', '360', '30,000,000', '1e-06')
    """
    text = f"{number:.{digits}g}"
    if not abs(number) < MOST_FIXED or ("e+" not in text and abs(number) < LEAST_APART):
        return text
    text = f"{number:,.{max(0, digits - 1 - math.floor(math.log10(abs(number))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole(what: str, given: object) -> int:
    """A whole number as Python's own; NumPy's and JAX's scalars are whole numbers too.

    Raises:
        AllpayError: if it is no whole number by its type: 2.0 is none.
    """
    number = unboxed(given)
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise AllpayError(f"{what} must be a whole number: got {short(given)}")
    if not -MOST_WHOLE < int(number) < MOST_WHOLE:
        raise AllpayError(f"{what} must be a whole number below 2^128: got {short(given, 40)}")
    return int(number)


def real(what: str, given: object) -> float:
    """A number as Python's own float; it may be infinite or not a number, where the caller does not mind.

    Raises:
        AllpayError: if it is no number by its type, or larger than a float can be.
    """
    number = unboxed(given)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise AllpayError(f"{what} must be a number: got {short(given)}")
    try:
        return float(number)
    except OverflowError:
        raise AllpayError(f"{what} must be finite: got a number above 1e308") from None


def above_zero(what: str, given: object) -> float:
    """A number above 0 and finite, as Python's own float.

    Raises:
        AllpayError: if it is not one.
    """
    number = real(what, given)
    if not 0 < number < math.inf:
        raise AllpayError(f"{what} must be above 0 and finite: got {exactly(number)}")
    return number


def truth(what: str, given: object) -> bool:
    """True or False as Python's own.

    Raises:
        AllpayError: if it is neither by its type: texts and numbers are not.
    """
    found = unboxed(given)
    if not isinstance(found, bool):
        raise AllpayError(f"{what} must be True or False: got {short(given)}")
    return found


def plain_fields(made: Any, **words: str) -> None:
    """Make plain numbers of a dataclass's fields that are declared as `int`, `float` or `bool`, whatever they were given as.

    For `__post_init__`: what is stored, compared and computed with is then the same, whoever gave it.

    Args:
        made: the object; None stays where a field allows it.
        words: what a field is called in messages, where that is not its name.

    Raises:
        AllpayError: if a field is of another kind, or out of the bounds that are declared with it, see `Bound`.
    """
    for name, (kind, optional, bounds) in numeric_fields(made.__class__).items():
        given = getattr(made, name)
        if (given is None and optional) or asked(given) is not given:
            continue
        what = words.get(name, name)
        number = {int: whole, float: real, bool: truth}[kind](what, given)
        for bound in bounds:
            bound.check(what, number)
        object.__setattr__(made, name, number)


@cache
def numeric_fields(kind: Any) -> dict[str, tuple[type, bool, tuple[Bound, ...]]]:
    """The fields of a dataclass that are numbers: which, whether they may be None, and their bounds."""
    try:
        hints = get_type_hints(kind, include_extras=True)
    except NameError:  # somebody else's subclass, whose annotations cannot be looked up
        return {}
    found = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        kinds = {get_args(part)[0] if get_origin(part) is Annotated else part for part in parts}
        bounds = tuple(
            extra
            for part in parts
            if get_origin(part) is Annotated
            for extra in get_args(part)[1:]
            if isinstance(extra, Bound)
        )
        numbers = kinds & {int, float, bool}
        if field.init and len(numbers) == 1 and kinds <= {int, float, bool, type(None)}:
            found[field.name] = (numbers.pop(), type(None) in kinds, bounds)
    return found


def unboxed(given: object) -> object:
    """The number in a scalar or an array without dimensions, of NumPy, JAX or any other library; else what was given."""
    if isinstance(given, (int, float)) or getattr(given, "ndim", None) != 0:
        return given
    item = getattr(given, "item", None)
    try:
        return item() if callable(item) else given
    except Exception:  # somebody else's object, which is then no number
        return given


def valued(what: str, number: float, digits: int = 6) -> str:
    """What something is called, and its number: with a sign between, where the name has numbers of its own.

    >>> valued("revenue", 1.25), valued("number of bids of at least 0.4", 2.3)
    ('revenue 1.25', 'number of bids of at least 0.4 = 2.3')
    """
    between = " = " if any(c.isdigit() for c in what) else " "
    return f"{what}{between}{numeral(number, digits)}"
