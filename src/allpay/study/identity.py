"""The identity of a study: all that its results depend on, as plain JSON values, and back.

allpay's own classes are written by their short names. A distribution or a learner of somebody else's is written as
`module:Class` with its fields, and arrays by a digest of what they hold. A distribution is also written by what it does: its
quantile function. What cannot be written down is refused, because a folder would not know it again.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any

import numpy as np

from allpay.errors import AllpayError, short
from allpay.frozen import LATER
from allpay.learners import name_of
from allpay.learners.own import in_one_line, own_name

SHORT = 100
"""Arrays of at most so many numbers are written with their numbers, from which they can be made again."""

DEEPEST = 50
"""So many values may lie inside each other."""

QUANTILES = np.linspace(0.0, 1.0, 257)
"""Where a distribution of somebody else's is looked at."""

DIGITS = 9
"""To so many digits, so that another machine's last bits do not make another study of it."""

FUNCTION = "quantile function"
"""The key of what a distribution does; no field can have that name."""

TYPE = "type"
"""The key of what something is; a field of that name is written with a word before it."""

EXACT = (Fraction, Decimal, complex, datetime, date, time, timedelta, PurePath)
"""Kinds whose `repr` says all of them."""


def written(value: Any, what: str = "it", depth: int = 0) -> Any:
    """A value as plain JSON values: equal ones are written alike, different ones differently.

    Args:
        value: a number, text, array, table, dataclass, or a list, tuple, set or dictionary of them.
        what: what it is, for the message.
        depth: in how many others it lies.

    Raises:
        AllpayError: if it is something else.
    """
    if depth > DEEPEST:
        raise AllpayError(f"{what} cannot be kept in a study folder: it is nested more than {DEEPEST} deep")

    def part(value: Any, name: object = None) -> Any:
        return written(value, what if name is None else f"{name} of {what}", depth + 1)

    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return {TYPE: "enum", "name": f"{own_name(type(value))}.{value.name}"}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic):
        return _of_numpy(value, what)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {TYPE: "float", "value": repr(float(value))}
    if isinstance(value, (list, tuple, range)):
        return [part(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return {TYPE: "set", "items": sorted((part(v) for v in value), key=json.dumps)}
    if isinstance(value, (Mapping,)):
        return {TYPE: "dict", "items": [[part(k), part(v)] for k, v in value.items()]}
    if isinstance(value, EXACT):
        return {TYPE: own_name(type(value)), "value": repr(value)}
    if isinstance(value, (bytes, bytearray)):
        return {TYPE: "bytes", "digest": hashlib.sha256(value).hexdigest()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _of_dataclass(value, what, depth)
    if hasattr(value, "columns") and hasattr(value, "dtypes"):  # a table of pandas or Polars
        names = list(value.columns)
        rows = {"index": part(value.index)} if hasattr(value, "index") else {}
        return {TYPE: own_name(type(value)), **rows, "columns": [[part(n), part(value[n], n)] for n in names]}
    if hasattr(value, "__array__") and not isinstance(value, type):
        return _of_array(value, what, depth)
    if callable(value) and hasattr(value, "__qualname__") and "<" not in value.__qualname__:
        return {TYPE: "function", "name": own_name(value)}
    raise AllpayError(
        f"{what} cannot be kept in a study folder: got {short(value)}; use numbers, texts, arrays, or a dataclass of them"
    )


def unsaid(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Whether a field is not written, since a class got it later and it is at its default, see `LATER`."""
    return LATER in field.metadata and getattr(value, field.name) == field.default


def kind_of_class(value: Any) -> str:
    """The name that the class of a dataclass is written by: short for allpay's own, `module:Class` for others."""
    kind = type(value)
    if callable(getattr(value, "learn", None)):
        return name_of(value)
    return kind.__name__ if kind.__module__.partition(".")[0] == "allpay" else own_name(kind)


def _of_dataclass(value: Any, what: str, depth: int) -> dict[str, Any]:
    name = kind_of_class(value)
    found: dict[str, Any] = {TYPE: name}
    for field in dataclasses.fields(value):
        if field.init and not unsaid(value, field):
            key = f"field {TYPE}" if field.name == TYPE else field.name
            found[key] = written(getattr(value, field.name), f"{field.name} of {type(value).__name__}", depth + 1)
    if callable(getattr(value, "quantile", None)) and ":" in name:
        found[FUNCTION] = _fingerprint(value, what)
    return found


def _fingerprint(distribution: Any, what: str) -> str:
    """A digest of a quantile function, to nine digits: of the same class and fields, but changed code, it is another."""
    try:
        values = np.asarray(distribution.quantile(QUANTILES.copy()), float)
    except Exception as error:
        raise AllpayError(f"the quantile function of {what} failed: {in_one_line(error)}") from error
    return hashlib.sha256(" ".join(f"{v:.{DIGITS}g}" for v in values.ravel() + 0.0).encode()).hexdigest()


def _of_numpy(value: np.generic, what: str) -> Any:
    """A scalar of NumPy: as a plain number where it computes as one, else with its kind."""
    if isinstance(value, (np.bool_, np.int64, np.float64, np.str_)):
        return written(value.item(), what)
    return {TYPE: "numpy", "dtype": value.dtype.str, "value": repr(value.item())}


def _of_array(value: Any, what: str, depth: int) -> dict[str, Any]:
    """An array, or a column of a table, by its kind, shape, and the numbers or a digest of them."""

    def part(value: Any) -> Any:
        return written(value, what, depth + 1)

    more: dict[str, Any] = {}
    if isinstance(value, np.ma.MaskedArray):
        more, value = {"mask": part(np.ma.getmaskarray(value))}, np.asarray(value.data)
    for name in ("name", "index"):  # of a column
        held = getattr(value, name, None)
        if held is not None and not callable(held) and type(value).__module__.partition(".")[0] in {"pandas", "polars"}:
            more[name] = part(held)
    if callable(getattr(value, "is_null", None)):
        more["missing"] = part(np.asarray(value.is_null(), bool))
    kind = own_name(type(value))
    try:
        array = np.asarray(value)
    except Exception as error:
        raise AllpayError(f"{what} cannot be kept in a study folder: {in_one_line(error)}") from error
    found = {TYPE: "array", "kind": kind, "dtype": array.dtype.str, "shape": list(array.shape), **more}
    if array.dtype.names:
        return {**found, "fields": [[name, part(np.asarray(array[name]))] for name in array.dtype.names]}
    if array.dtype.kind == "O":
        content = json.dumps(part(array.tolist()))
        return {**found, "digest": hashlib.sha256(content.encode()).hexdigest()}
    if array.dtype.kind in "biuf" and array.size <= SHORT:
        found["numbers"] = part(array.ravel().tolist())
    return {**found, "digest": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}


def made_of(found: dict[str, Any]) -> Any:
    """What `written` has written of a value that is no dataclass.

    Raises:
        AllpayError: if only a digest of it was kept.
    """
    match found:
        case {"type": "float", "value": "inf" | "-inf" | "nan" as text}:
            return float(text)
        case {"type": "array", "kind": "numpy:ndarray", "dtype": str(), "shape": list(), "numbers": list() as numbers}:
            plain = [made_of(n) if isinstance(n, dict) else n for n in numbers]
            try:
                return np.array(plain, np.dtype(found["dtype"])).reshape(found["shape"])
            except (
                TypeError,
                ValueError,
                OverflowError,
            ):  # forged: neither the kind of numbers nor how many there are fits
                raise AllpayError(
                    f"the folder holds no study that can be read: {len(plain)} numbers are no array of {short(found['dtype'])} "
                    f"of the shape {short(found['shape'])}"
                ) from None
    raise AllpayError(
        f"this study holds {short(found.get('kind', found.get(TYPE)))}, of which its folder keeps a digest only: run it again "
        "from its own program"
    )
