"""What prizes are worth to bidders: distributions of private values, and commonly known ones."""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import asked, derived
from allpay.scalars import LEAST, MOST, Bound, plain_fields, real

Array = NDArray[np.float64]

MOST_CELLS = 10_000_000
"""So many values × bids a game may have at most; each of several tables of a run has a number of 8 bytes for each."""

HIGHEST = Bound(at_least=LEAST, at_most=MOST, or_zero=True)
"""How large the highest value of a distribution may be."""

SHAPE = Bound(at_least=0.01, at_most=1e6)
"""How large the exponents of a distribution may be: beyond, nearly all values are the same number."""


class Distribution(Protocol):
    """A distribution of values, given by its quantile function. Any object with this method will do.

    Where values have a probability of their own, `theory` must be told where they begin and end: by a property `breaks`, the
    quantiles between 0 and 1 at which the function jumps, increasing (see `Discrete`). Other jumps are found.
    """

    def quantile(self, q: ArrayLike) -> Array:
        """The value at each quantile `q` in [0, 1], same shape; nondecreasing, ≥ 0, finite."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Values uniform on [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 <= self.low < self.high):
            raise AllpayError(
                f"uniform values need 0 ≤ low < high, both finite: got low {self.low:g}, high {self.high:g}"
            )
        HIGHEST.check("high of uniform values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        return self.low + (self.high - self.low) * np.asarray(q, float)


@dataclass(frozen=True)
class Power:
    """Values on [0, 1] with distribution function F(v) = v^exponent."""

    exponent: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.exponent) and self.exponent > 0):
            raise AllpayError(f"power values need an exponent above 0: got {exactly(self.exponent)}")
        SHAPE.check("the exponent of power values", self.exponent)

    def quantile(self, q: ArrayLike) -> Array:
        return np.asarray(q, float) ** (1.0 / self.exponent)


@dataclass(frozen=True)
class Beta:
    """Values on [0, 1] with the Beta(a, b) distribution."""

    a: float
    b: float

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.a) and math.isfinite(self.b) and self.a > 0 and self.b > 0):
            raise AllpayError(f"beta values need a > 0 and b > 0: got a {self.a:g}, b {self.b:g}")
        for name in ("a", "b"):
            SHAPE.check(f"{name} of beta values", getattr(self, name))

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import betaincinv

        return betaincinv(self.a, self.b, np.asarray(q, float))


@dataclass(frozen=True)
class Lognormal:
    """Values whose logarithm is normal with this mean and standard deviation, truncated: none is above `high`."""

    mean: float = 0.0
    deviation: float = 1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.mean) and 0 < self.deviation < math.inf and 0 < self.high < math.inf):
            raise AllpayError(
                "lognormal values need a finite mean of the logarithm, and a deviation and a highest value above 0: "
                f"got {exactly(self.mean)}, {exactly(self.deviation)}, {exactly(self.high)}"
            )
        Bound(at_least=-200, at_most=200).check("the mean of lognormal values", self.mean)
        Bound(at_least=1e-3, at_most=100).check("the deviation of lognormal values", self.deviation)
        HIGHEST.check("high of lognormal values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import log_ndtr, ndtri_exp

        below = log_ndtr((math.log(self.high) - self.mean) / self.deviation)
        with np.errstate(divide="ignore"):  # ln 0 at quantile 0, where the value is 0
            # the highest value is told from rounding, which may leave it a little above
            return np.minimum(
                np.exp(self.mean + self.deviation * ndtri_exp(np.log(np.asarray(q, float)) + below)), self.high
            )


@dataclass(frozen=True)
class Discrete:
    """Values that are each of `points` (nondecreasing, ≥ 0) with equal probability."""

    points: tuple[float, ...]

    def __post_init__(self) -> None:
        given = self.points
        if isinstance(given, (str, bytes, Mapping, Set)) or not isinstance(given, Iterable):
            raise AllpayError(f"discrete values must be several numbers: got {short(given)}")
        if getattr(given, "ndim", 1) == 0:
            raise AllpayError(f"discrete values must be several numbers: got {short(given)}")
        points = tuple(real("discrete values", p) for p in islice(given, MOST_CELLS + 1))
        object.__setattr__(self, "points", points)
        ordered = all(x <= y for x, y in zip(self.points, self.points[1:], strict=False))
        if not self.points or not ordered or not all(math.isfinite(p) and p >= 0 for p in self.points):
            raise AllpayError(f"discrete values must be finite, ≥ 0 and nondecreasing: got {short(list(points), 120)}")
        HIGHEST.check("the highest discrete value", points[-1])
        if len(points) > MOST_CELLS:
            raise AllpayError(f"discrete values must be at most {MOST_CELLS:,}: got more; give fewer")

    def quantile(self, q: ArrayLike) -> Array:
        last = len(self.points) - 1
        index = np.clip(np.floor(np.asarray(q, float) * len(self.points)), 0, last).astype(int)
        return np.asarray(self.points)[index]

    @property
    def breaks(self) -> Array:
        """`[jumps]` the quantiles at which one value ends and the next, if it is another, begins."""
        return (np.flatnonzero(np.diff(self.points)) + 1) / len(self.points)


def integers(low: float, high: float) -> Discrete:
    """Each whole number from low to high with equal probability.

    >>> integers(0, 9).points[-1]
    9.0
    """
    low, high = _whole("low of integers", low), _whole("high of integers", high)
    if low > high:
        raise AllpayError(
            f"integers need low ≤ high: low must not exceed high, got low {short(low, 20)}, high {short(high, 20)}"
        )
    _check_levels("integers from low to high", high + 1 - low)
    return Discrete(tuple(range(low, high + 1)))


def steps(low: float, high: float, count: float) -> Discrete:
    """`count` values equally spaced from low to high, each with equal probability.

    >>> steps(0, 1, 3).points
    (0.0, 0.5, 1.0)
    """
    low, high = real("low", low), real("high", high)
    for what, end in (("low", low), ("high", high)):
        if not math.isfinite(end):
            raise AllpayError(f"{what} of steps must be finite: got {end}")
        HIGHEST.check(f"{what} of steps", end)
    number = _whole("count of steps", count)
    _check_levels("count of steps", number)
    return Discrete(tuple(np.linspace(low, high, number)))


def _whole(what: str, given: object) -> int:
    """A whole number, also where it is written as a float, as in the text `integers(0, 9)`."""
    number = real(what.split(maxsplit=1)[0], given)
    if not math.isfinite(number):
        raise AllpayError(f"{what} must be finite: got {number}")
    if not number.is_integer():
        raise AllpayError(f"{what} must be a whole number: got {exactly(number)}")
    return int(number)


def _check_levels(what: str, levels: int) -> None:
    """Raise AllpayError unless so many values can be on a grid."""
    if levels < 1:
        raise AllpayError(f"{what} must be at least 1: got {levels}")
    if levels > MOST_CELLS:
        raise AllpayError(
            f"{what} must be at most {MOST_CELLS:,}: got {levels:,}, {memory_of(levels)} a table; give fewer"
        )


def memory_of(cells: int) -> str:
    """What a table of so many numbers takes."""
    return f"{8e-9 * min(cells, 10**300):,.3g} GB"


DISTRIBUTIONS: dict[str, Callable[..., Distribution]] = {
    "uniform": Uniform,
    "power": Power,
    "beta": Beta,
    "lognormal": Lognormal,
    "integers": integers,
    "steps": steps,
}


def distribution(text: str) -> Distribution:
    """The distribution that a text names: `uniform(0,1)`, `power(2)`, `beta(2,5)`, `integers(0,9)`.

    Raises:
        AllpayError: if the name is unknown or the numbers do not fit it.

    >>> distribution("beta(2,5)")
    Beta(a=2.0, b=5.0)
    """
    match = isinstance(text, str) and re.fullmatch(r"\s*([a-z-]+)\s*(?:\(([^()]*)\))?\s*", text.lower())
    if not match:
        raise AllpayError(f"cannot read the distribution {short(text)}: write it as uniform(0,1) or beta(2,5)")
    name = one_of("distribution", match[1], DISTRIBUTIONS)
    try:
        numbers = [float(x) for x in match[2].split(",")] if match[2] else []
    except ValueError:
        raise AllpayError(f"cannot read the numbers of {short(text)}: write them as in beta(2,5)") from None
    parameters = inspect.signature(DISTRIBUTIONS[name]).parameters
    usual = all(p.default is not p.empty for p in parameters.values())
    if len(numbers) != len(parameters) and (
        numbers or not usual
    ):  # uniform is uniform(0,1), but uniform(0) may be anything
        most = len(parameters)
        takes = f"{'at most ' if usual and len(numbers) > most else ''}{most} number{'' if most == 1 else 's'}"
        raise AllpayError(f"{name}({','.join(parameters)}) takes {takes}: got {len(numbers)} in {short(text)}")
    return DISTRIBUTIONS[name](*numbers)


DEFAULT_LEVELS = 64


@dataclass(frozen=True)
class Private:
    """Each bidder draws its own value, independently, from one distribution.

    Attributes:
        distribution: of one bidder's value.
        levels: how many values a bidder can have on the grid, V: the quantiles (j+½)/V, each with probability 1/V. If not
            given, 64, or as many as there are points where the distribution is discrete.
    """

    distribution: Distribution = field(default_factory=Uniform)
    levels: int = None  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        if isinstance(self.distribution, type) or not callable(getattr(self.distribution, "quantile", None)):
            given = self.distribution
            remedy = (
                f"it is a class, so call it with its numbers, as {given.__name__}(…)"
                if isinstance(given, type)
                else "give one, as Uniform(0, 1) or Beta(2, 5), or any object with a method quantile"
            )
            shown = given.__name__ if isinstance(given, type) else short(given)
            raise AllpayError(f"private values need a distribution: got {shown}; {remedy}")
        if asked(self.levels) is None:
            points = self.distribution.points if isinstance(self.distribution, Discrete) else ()
            object.__setattr__(self, "levels", derived(len(points) or DEFAULT_LEVELS))
        plain_fields(self, levels="value levels")
        _check_levels("value levels", self.levels)

    def grid(self) -> Array:
        return values_at(self.distribution, self._quantiles)

    @property
    def exact(self) -> bool:
        """Whether the values of the grid are those of the distribution, each with its probability."""
        points = self.distribution.points if isinstance(self.distribution, Discrete) else ()
        return len(points) > 0 and self.levels % len(points) == 0

    @property
    def highest(self) -> float:
        """The highest value that the distribution allows."""
        *_, below, top = values_at(self.distribution, np.append(self._quantiles, 1.0), infinite=True)
        if not math.isfinite(below):
            raise AllpayError(f"the quantile function of {short(self.distribution)} must be finite below 1")
        return float(top if math.isfinite(top) else below)

    @property
    def _quantiles(self) -> Array:
        """`[values]` of the values on the grid."""
        return (np.arange(self.levels) + 0.5) / self.levels


def values_at(given: Distribution, q: ArrayLike, infinite: bool = False) -> Array:
    """The values at quantiles `q`, same shape, which increase; the distribution may be somebody else's.

    Args:
        given: the distribution.
        q: quantiles in [0, 1], nondecreasing in the order of memory.
        infinite: whether a value may be infinite.

    Raises:
        AllpayError: if they are not numbers, finite, ≥ 0 and nondecreasing, one for each quantile, or cannot be had.
    """
    asked = np.asarray(q, float)
    try:
        found = np.asarray(given.quantile(asked.copy()))  # a copy: it may be changed
    except Exception as error:
        raise AllpayError(f"the quantile function of {short(given)} failed: {type(error).__name__}: {error}") from error
    if found.dtype.kind not in "biuf" or found.shape != asked.shape:
        kind = f"{found.shape} of {found.dtype}"
        raise AllpayError(f"the quantile function of {short(given)} must give a number for each quantile: got {kind}")
    values = found.astype(float)
    fine = not np.isnan(values).any() and (infinite or np.isfinite(values).all())
    if not (fine and np.all(values >= 0) and np.all(values.ravel()[1:] >= values.ravel()[:-1])):
        raise AllpayError(f"the quantile function of {short(given)} must be finite, ≥ 0 and nondecreasing")
    most = float(values.max(initial=0.0, where=np.isfinite(values)))
    if most > MOST:
        raise AllpayError(f"values must be at most {MOST:g}: {short(given)} has {most:g}")
    return values


@dataclass(frozen=True)
class Common:
    """The prize is worth the same, `value`, to every bidder, and all know it (complete information)."""

    value: Annotated[float, Bound(above=0, at_most=MOST)] = 1.0

    def __post_init__(self) -> None:
        plain_fields(self, value="a common value")
        HIGHEST.check("a common value", self.value)

    def grid(self) -> Array:
        return np.array([self.value])

    @property
    def exact(self) -> bool:
        """Whether the values of the grid are all that there are; with `Private` they may stand for many more."""
        return True

    @property
    def highest(self) -> float:
        return self.value
