"""What frozen dataclasses share: defaults that follow from other fields, a state without caches, equality of arrays."""

import copy
import dataclasses
import math
from importlib import import_module
from typing import Any, Generic, TypeVar

import numpy as np

Value = TypeVar("Value")

LONGEST, WHOLE = 560, 400
"""Characters of the `repr` of what is public, at most; one of fewer than the second number is told whole."""

MOST_LISTED, MOST_OF_PART = 4, 90
"""Of longer tuples the first parts are told, and of parts of more characters only what they are."""

_ASKED = "_asked"

LATER = "later"
"""The metadata of a field that a class of allpay's got after folders were written without it: at its default it is not written,
so that these folders are still known."""


class _Int(int):
    """A whole number that can remember what was asked; so can the next three kinds."""


class _Float(float):
    pass


class _Str(str):
    __slots__ = ("__dict__",)


class _Tuple(tuple[Any, ...]):
    pass


_KINDS: dict[type, Any] = {int: _Int, float: _Float, str: _Str, tuple: _Tuple}


def derived(value: Value, asked: object = None) -> Value:
    """An equal value for a field whose own was left open, which remembers what was asked for: None, unless given.

    `dataclasses.replace` hands the values of all fields back to the class. `__post_init__` takes what was `asked` of such a
    field and derives it anew, so that it follows the other fields. (A property beside a field of what was asked would
    not do: two names for one thing, of which users would take the wrong one.)

    >>> levels = derived(64)
    >>> levels, asked(levels), asked(64)
    (64, None, 64)
    """
    kind = _KINDS.get(type(value))
    made = copy.copy(value) if kind is None else kind(value)
    object.__setattr__(made, _ASKED, asked)
    return made


def asked(value: Any) -> Any:
    """What was asked for in a field: its value, unless that is `derived`."""
    return getattr(value, "__dict__", {}).get(_ASKED, value)


def brief(made: Any) -> str:
    """What a dataclass is, in at most `LONGEST` characters: all of it where that is short, else what its parts are.

    >>> from allpay.contest.mechanism import Mechanism
    >>> len(brief(Mechanism((0.5, *[0.01] * 50), (1.0,) * 51))) <= LONGEST
    True
    """
    shown = [field.name for field in dataclasses.fields(made) if field.repr]
    parts = [(name, getattr(made, name, None)) for name in shown]
    few = all(not hasattr(value, "shape") for _, value in parts)
    text = f"{type(made).__name__}({', '.join(f'{name}={value!r}' for name, value in parts)})" if few else ""
    if 0 < len(text) <= WHOLE:
        return text
    kept: list[str] = []
    for name, value in parts:
        part = f"{name}={_in_brief(value)}"
        if sum(map(len, kept)) + 2 * len(kept) + len(part) > LONGEST - 60:
            kept.append("…")
            break
        kept.append(part)
    return f"{type(made).__name__}({', '.join(kept)})"


def _in_brief(value: Any) -> str:
    """One part of a dataclass."""
    if hasattr(value, "shape"):
        kind = "table" if hasattr(value, "columns") else "array"
        return f"{kind}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, (tuple, list)) and len(value) > MOST_LISTED:
        first = ", ".join(_in_brief(part) for part in value[: MOST_LISTED - 1])
        return f"({first}, … {len(value)} in all)"
    text = " ".join(repr(value).split())
    if len(text) <= MOST_OF_PART:
        return text
    if isinstance(value, str):
        return f"{text[: MOST_OF_PART - 1]}…"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_in_brief(part) for part in value)})"
    return f"{type(value).__name__}(…)"


class Brief:
    """A dataclass whose `repr` is short, whatever it holds; notebooks show it as a table, and Polars takes its numbers."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:  # the decorator leaves one that is there
            cls.__repr__ = brief  # type: ignore[method-assign]

    def _repr_html_(self) -> str:
        return str(import_module("allpay.report.notebook").html(self))


class Framed:
    """What has numbers for a table."""

    def to_frame(self) -> Any:
        """Its numbers as a table of Polars."""
        return import_module("allpay.report.notebook").frame(self)


class Stateful(Brief):
    """A frozen dataclass whose cached properties are no part of it: pickled, copied or hashed by what its fields hold."""

    def __getstate__(self) -> dict[str, Any]:
        held = {field.name for field in dataclasses.fields(self)} | {_ASKED}  # type: ignore[arg-type]
        return {name: value for name, value in vars(self).items() if name in held}


class ByValue(Brief):
    """A frozen dataclass (`eq=False`) with arrays or tables among its fields: equal if they are, NaN to NaN."""

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        names = [field.name for field in dataclasses.fields(self) if field.compare]  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        names = [field.name for field in dataclasses.fields(self) if field.compare]  # type: ignore[arg-type]
        return hash((type(self), *(_key(getattr(self, name)) for name in names)))


class Drawn:
    """What can be drawn into axes of Matplotlib. How is said in `allpay.report`, which is loaded when something is drawn."""

    def plot(self, ax: Any = None) -> Any:
        """Draw it into axes, or into new ones if none are given; returns the axes.

        Raises:
            AllpayError: if `ax` is no axes.
        """
        return import_module("allpay.report.plots").plot(self, ax)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        return np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f")
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(one, "equals"):  # a table
        return bool(type(one) is type(other) and one.equals(other))
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or bool(one == other)


def _key(value: Any) -> Any:
    """Something that can be hashed and is the same for equal values."""
    if isinstance(value, tuple):
        return tuple(map(_key, value))
    if isinstance(value, np.ndarray):
        return value.shape
    return value if isinstance(value, (str, int, type(None))) else None


Thing = TypeVar("Thing")


class Itself(Generic[Thing]):
    """A thing as a key of a cache: it is equal to itself alone, which takes no time to find out."""

    def __init__(self, thing: Thing) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)
