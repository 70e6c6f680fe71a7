"""Numbers as they come in: scalars of NumPy, JAX and other libraries become Python's own, and what is no number is refused."""

import dataclasses
from functools import cache
from numbers import Integral, Real
from typing import Any, get_args, get_type_hints

from allpay.errors import AllpayError, short


def whole(what: str, given: object) -> int:
    """A whole number as Python's own; NumPy's and JAX's scalars are whole numbers too.

    Raises:
        AllpayError: if it is no whole number by its type: 2.0 is none.
    """
    number = unboxed(given)
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise AllpayError(f"{what} must be a whole number: got {short(given)}")
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
        AllpayError: if a field is of another kind.
    """
    for name, (kind, optional) in _numeric(made.__class__).items():
        given = getattr(made, name)
        if given is None and optional:
            continue
        convert = {int: whole, float: real, bool: truth}[kind]
        object.__setattr__(made, name, convert(words.get(name, name), given))


@cache
def _numeric(kind: Any) -> dict[str, tuple[type, bool]]:
    """The fields of a dataclass that are numbers: which, and whether they may be None."""
    try:
        hints = get_type_hints(kind)
    except NameError:  # somebody else's subclass, whose annotations cannot be looked up
        return {}
    found = {}
    for field in dataclasses.fields(kind):
        kinds = set(get_args(hints[field.name]) or (hints[field.name],))
        numbers = kinds & {int, float, bool}
        if field.init and len(numbers) == 1 and kinds <= {int, float, bool, type(None)}:
            found[field.name] = (numbers.pop(), type(None) in kinds)
    return found


def unboxed(given: object) -> object:
    """The number in a scalar or an array without dimensions, of NumPy, JAX or any other library; else what was given."""
    if isinstance(given, (int, float)) or getattr(given, "ndim", None) != 0:
        return given
    item = getattr(given, "item", None)
    return item() if callable(item) else given
