"""What prizes are worth to bidders: distributions of private values, and commonly known ones."""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, fields
from itertools import islice, pairwise
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import LATER, Brief, asked, derived
from allpay.scalars import LEAST, MOST, Bound, plain_fields, real

Array = NDArray[np.float64]

MOST_CELLS = 10_000_000
"""So many values × bids a game may have at most; each of several tables of a run has a number of 8 bytes for each."""

ROUNDING = 1e-12
"""The part of the highest by which values may fall between quantiles next to each other: what a quantile function rounds."""

MOST_COEFFICIENTS = 41
"""So many coefficients a curve may have."""

HIGHEST = Bound(at_least=LEAST, at_most=MOST, or_zero=True)
"""How large the highest value of a distribution may be."""

HIGH = Bound(at_least=LEAST, at_most=MOST)
"""The same of one that begins at 0."""

TINY = 1e-12
"""Below this quantile of a Beta distribution its first power alone tells the value, where SciPy does not."""

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
    """Values on [0, high] with distribution function F(v) = (v / high)^exponent."""

    exponent: float = 1.0
    high: float = field(default=1.0, metadata={LATER: True})

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.exponent) and self.exponent > 0):
            raise AllpayError(f"power values need an exponent above 0: got {exactly(self.exponent)}")
        SHAPE.check("the exponent of power values", self.exponent)
        HIGH.check("high of power values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        return self.high * np.asarray(q, float) ** (1.0 / self.exponent)


@dataclass(frozen=True)
class Beta:
    """Values on [0, high] with the Beta(a, b) distribution."""

    a: float
    b: float
    high: float = field(default=1.0, metadata={LATER: True})

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.a) and math.isfinite(self.b) and self.a > 0 and self.b > 0):
            raise AllpayError(f"beta values need a > 0 and b > 0: got a {self.a:g}, b {self.b:g}")
        for name in ("a", "b"):
            SHAPE.check(f"{name} of beta values", getattr(self, name))
        HIGH.check("high of beta values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import betaincinv, betaln

        q = np.asarray(q, float)
        found = betaincinv(self.a, self.b, q)
        if np.isnan(found).any():
            # SciPy gives none at some q below 1e-16, where F(x) = x^a / (a·B(a, b)) to the last digit
            with np.errstate(divide="ignore"):
                near = np.exp((np.log(q) + np.log(self.a) + betaln(self.a, self.b)) / self.a)
            found = np.where(np.isnan(found) & (q < TINY), near, found)
        return self.high * found


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
class Curve:
    """Values with a smooth quantile function: a Bernstein polynomial of x = (2/π)·arcsin √q.

    Σ_j coefficients_j C(d, j) x^j (1 − x)^(d − j), with d + 1 nondecreasing coefficients. In x, and not in q, quantile
    functions of densities that begin or end like a power are smooth at both ends. The first coefficient is the lowest
    value, the last the highest. It is what is estimated from bids where no family of distributions fits (`allpay.estimate`).
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        given = _increasing("coefficients of a curve", self.coefficients, MOST_COEFFICIENTS)
        if len(given) < 2:
            raise AllpayError(f"a curve has at least 2 coefficients: got {short(list(given))}")
        HIGH.check("the highest coefficient of a curve", given[-1])
        object.__setattr__(self, "coefficients", given)

    def quantile(self, q: ArrayLike) -> Array:
        top = self.coefficients[-1]
        found = bernstein(q, len(self.coefficients) - 1) @ (np.array(self.coefficients) / top)
        return top * np.minimum(np.round(found, 14), 1.0)  # rounded, so that no last bit makes it fall


def bernstein(q: ArrayLike, degree: int) -> Array:
    """`[..., degree + 1]` the Bernstein polynomials of (2/π)·arcsin √q at quantiles `[...]`; they sum to 1."""
    x = np.arcsin(np.sqrt(np.clip(np.asarray(q, float), 0.0, 1.0)))[..., None] * (2 / np.pi)
    j = np.arange(degree + 1)
    return np.array([math.comb(degree, k) for k in j], float) * x**j * (1 - x) ** (degree - j)


def curve(*coefficients: float) -> Curve:
    """A smooth quantile function with these coefficients, see `Curve`."""
    return Curve(coefficients)


@dataclass(frozen=True)
class Discrete(Brief):
    """Values that are each of `points` (nondecreasing, ≥ 0) with equal probability."""

    points: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _increasing("discrete values", self.points, MOST_CELLS))
        HIGHEST.check("the highest discrete value", self.points[-1])

    def quantile(self, q: ArrayLike) -> Array:
        last = len(self.points) - 1
        index = np.clip(np.floor(np.asarray(q, float) * len(self.points)), 0, last).astype(int)
        return np.asarray(self.points)[index]

    @property
    def breaks(self) -> Array:
        """`[jumps]` the quantiles at which one value ends and the next, if it is another, begins."""
        return (np.flatnonzero(np.diff(self.points)) + 1) / len(self.points)


def _increasing(what: str, given: object, most: int) -> tuple[float, ...]:
    """Several numbers, finite, ≥ 0 and nondecreasing, at most so many."""
    several = not isinstance(given, (str, bytes, Mapping, Set)) and isinstance(given, Iterable)
    if not several or getattr(given, "ndim", 1) == 0:
        raise AllpayError(f"{what} must be several numbers: got {short(given)}")
    numbers = tuple(real(what, x) for x in islice(given, most + 1))  # type: ignore[call-overload]
    ordered = all(x <= y for x, y in pairwise(numbers))
    if not numbers or not ordered or not all(math.isfinite(x) and x >= 0 for x in numbers):
        raise AllpayError(f"{what} must be finite, ≥ 0 and nondecreasing: got {short(list(numbers), 120)}")
    if len(numbers) > most:
        raise AllpayError(f"{what} must be at most {most:,}: got more; give fewer")
    return numbers


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
    "curve": curve,
}


def distribution(text: str) -> Distribution:
    """The distribution that a text names: `uniform(0,1)`, `power(2)`, `beta(2,5)`, `integers(0,9)`.

    Raises:
        AllpayError: if the name is unknown or the numbers do not fit it.

    >>> distribution("beta(2,5)")
    Beta(a=2.0, b=5.0, high=1.0)
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
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    most = len(parameters)
    needed = most - sum(LATER in f.metadata for f in getattr(DISTRIBUTIONS[name], "__dataclass_fields__", {}).values())
    # uniform is uniform(0,1), but uniform(0) may be anything
    if not several and len(numbers) not in {needed, most} and (numbers or not usual):
        takes = f"{needed} or {most}" if needed < most else f"{most}"
        at_most = "at most " if usual and len(numbers) > most else ""
        raise AllpayError(
            f"{name}({','.join(parameters)}) takes {at_most}{takes} number{'' if most == 1 else 's'}: "
            f"got {len(numbers)} in {short(text)}"
        )
    return DISTRIBUTIONS[name](*numbers)


def text_of(given: Distribution) -> str:
    """The text that names a distribution, to the last digit: what `distribution` reads.

    Raises:
        AllpayError: if no text does.

    >>> text_of(Beta(2, 5))
    'beta(2.0,5.0,1.0)'
    """
    names = {kind: name for name, kind in DISTRIBUTIONS.items() if isinstance(kind, type)} | {Curve: "curve"}
    if type(given) not in names:
        raise AllpayError(f"no text names the distribution {short(given)}: use it from Python")
    numbers = [getattr(given, f.name) for f in fields(given)]  # type: ignore[arg-type]
    flat = numbers[0] if isinstance(given, Curve) else numbers
    return f"{names[type(given)]}({','.join(map(repr, flat))})"


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
    """The values at quantiles `q`, same shape, made nondecreasing where they only are up to rounding; the distribution may be
    somebody else's.

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
    most = float(values.max(initial=0.0, where=np.isfinite(values)))
    rising = np.maximum.accumulate(values.ravel()).reshape(values.shape)
    if not (fine and np.all(values >= 0) and np.all(values >= rising - ROUNDING * most)):
        raise AllpayError(f"the quantile function of {short(given)} must be finite, ≥ 0 and nondecreasing")
    if most > MOST:
        raise AllpayError(f"values must be at most {MOST:g}: {short(given)} has {most:g}")
    return rising


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
