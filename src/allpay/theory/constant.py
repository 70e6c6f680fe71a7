"""A value that everybody knows, as a distribution: all quantiles alike. A mixture over bids is then a bid at each quantile."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from allpay.errors import AllpayError, short
from allpay.game import Array, Distribution
from allpay.scalars import unboxed
from allpay.theory.noformula import NoFormula, check_number
from allpay.theory.quantiles import breaks_of, has_atoms
from allpay.theory.symmetric import ATOMS

ROUNDING = 1e-12
"""The part of the highest by which values may fall between quantiles next to each other: what a quantile function rounds."""


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
    if not isinstance(values, Constant) and len(breaks_of(values)) == 0 and has_atoms(values):
        return NoFormula(ATOMS)
    return values


def rising_values(given: Distribution, q: Array) -> Array:
    """The values at nondecreasing quantiles `q`, same shape, made nondecreasing where they only are up to rounding.

    Raises:
        AllpayError: if they are not finite, ≥ 0 and nondecreasing.
    """
    values = np.asarray(given.quantile(q), float)
    flat = values.ravel()
    if not (np.all(np.isfinite(flat)) and np.all(flat >= 0)):
        raise AllpayError(f"the quantile function of {given} must be finite, ≥ 0 and nondecreasing")
    rising = np.maximum.accumulate(flat)
    if np.any(rising - flat > ROUNDING * np.max(flat, initial=0.0)):
        raise AllpayError(f"the quantile function of {given} must be finite, ≥ 0 and nondecreasing")
    return rising.reshape(values.shape)
