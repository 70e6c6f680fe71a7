"""A value that everybody knows, as a distribution: all quantiles alike. A mixture over bids is then a bid at each quantile."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.game import Array
from allpay.contest.values import ROUNDING, Distribution
from allpay.errors import AllpayError, short
from allpay.scalars import unboxed
from allpay.theory.noformula import NoFormula, check_number
from allpay.theory.symmetric import indistinct

LAST = 1 - 2.0**-53
"""The last quantile below 1."""


@dataclass(frozen=True)
class Constant:
    """Every bidder has this value, and all know it."""

    value: float = 1.0

    def __post_init__(self) -> None:
        check_number("the value", self.value, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        return np.full_like(np.asarray(q, float), self.value)


Values = Distribution | float
"""A distribution of private values, or one value that is known."""


def distribution_of(values: Values) -> Distribution | NoFormula:
    """The distribution, or why formulas cannot use it.

    Raises:
        AllpayError: if it is neither a number above 0 nor a distribution.
    """
    number = unboxed(values)
    if isinstance(number, Real) and not isinstance(number, bool):
        return Constant(float(number))
    if isinstance(values, type) or not callable(getattr(values, "quantile", None)):
        raise AllpayError(f"values must be a number or a distribution, as Uniform(0, 1): got {short(values)}")
    assert not isinstance(values, float)
    fault = None if isinstance(values, Constant) else indistinct(values, 1)
    return values if fault is None else NoFormula(fault)


def rising_values(given: Distribution, q: Array) -> Array:
    """The values at nondecreasing quantiles `q`, same shape, made nondecreasing where they only are up to rounding.

    Where there is no highest value, that of the last quantile below 1 stands for it.

    Raises:
        AllpayError: if they are not finite, ≥ 0 and nondecreasing.
    """
    with np.errstate(divide="ignore"):
        values = np.asarray(given.quantile(q), float)
    if np.any(np.isposinf(values) & (q == 1)):
        values = np.asarray(given.quantile(np.minimum(q, LAST)), float)
    flat = values.ravel()
    if not (np.all(np.isfinite(flat)) and np.all(flat >= 0)):
        raise AllpayError(f"the quantile function of {given} must be finite, ≥ 0 and nondecreasing")
    rising = np.maximum.accumulate(flat)
    if np.any(rising - flat > ROUNDING * np.max(flat, initial=0.0)):
        raise AllpayError(f"the quantile function of {given} must be finite, ≥ 0 and nondecreasing")
    return rising.reshape(values.shape)


def away_from(breaks: Array, q: Array, least: float) -> NDArray[np.bool_]:
    """Which of the quantiles `q` `[n]` are further than `least` from each of the breaks, which are increasing."""
    if not breaks.size:
        return np.full(q.shape, True)
    i = np.searchsorted(breaks, q)
    after, before = breaks[np.minimum(i, len(breaks) - 1)], breaks[np.maximum(i - 1, 0)]
    return np.asarray(np.minimum(np.abs(q - after), np.abs(q - before)) > least)
