"""Where values may come from: curves of some degrees, and families of distributions with few parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allpay.contest.values import HIGH, Beta, Curve, Distribution, Lognormal, Power, Uniform, text_of
from allpay.estimate.conditions import Bids

Array = NDArray[np.float64]

DEGREES = (5, 8, 12)
"""Of the curves that are tried."""

SHAPES = (0.2, 30.0)
"""Between these the exponents of families are sought."""

TAIL = 3.0
"""Lognormal values end so many standard deviations of their logarithm above its mean, above all but one in 700."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be explained of one kind of contest.

    Attributes:
        bids: of it.
        spent: `[m]` observed at the quantiles of its condition.
        count: of how many bids.
        slopes: `[m]` by which differences are judged.
    """

    bids: Bids
    spent: Array
    count: float
    slopes: Array

    def residuals(self, apart: Array) -> Array:
        """`[m + 1, …]` differences `[m, …]` in units of their standard errors."""
        return self.bids.condition.residuals(apart, self.slopes) * np.sqrt(self.count)


@dataclass(frozen=True)
class Fit:
    """A distribution of values and how far the bids are from it.

    Attributes:
        family: its name.
        distribution: of values.
        loss: the sum of squared residuals.
        parameters: how many numbers were free.
        shape: where a search for it may begin.
    """

    family: str
    distribution: Distribution
    loss: float
    parameters: int
    shape: tuple[float, ...] = ()

    @property
    def penalised(self) -> float:
        """The loss to expect of other bids from the same contests: each free number explains some of these by chance.

        Twice the parameters are added (Akaike 1974), which picks the same family as leaving out contests if there are many
        (Stone 1977).
        """
        return self.loss + 2.0 * self.parameters


def loss_of(distribution: Distribution, targets: Sequence[Target]) -> float:
    """The sum of squared residuals of bids if values come from this distribution."""
    apart = (target.residuals(target.spent - target.bids.condition.foreseen(distribution)) for target in targets)
    return float(sum(np.sum(residuals**2) for residuals in apart))


@dataclass(frozen=True)
class Smooth:
    """Curves of one degree: the increments of their coefficients are found by nonnegative least squares."""

    degree: int

    @property
    def name(self) -> str:
        return f"curve of degree {self.degree}"

    def fit(self, targets: Sequence[Target], begin: Fit | None = None) -> Fit:
        from scipy.optimize import nnls

        columns, observed = [], []
        for target in targets:
            columns.append(target.residuals(target.bids.condition.spent_by_increments(self.degree)))
            observed.append(target.residuals(target.spent))
        matrix, goal = np.concatenate(columns), np.concatenate(observed)
        unit = np.maximum(np.sqrt(np.sum(matrix**2, axis=0)), 1e-300)
        increments, distance = nnls(matrix / unit, goal, maxiter=100 * (self.degree + 1))
        increments = increments / unit
        coefficients = np.maximum(np.cumsum(increments), 0.0)
        coefficients[-1] = max(coefficients[-1], HIGH.at_least or 0.0)
        free = int(np.sum(increments > 0))
        return Fit(self.name, Curve(tuple(coefficients.tolist())), float(distance) ** 2, free)


@dataclass(frozen=True)
class Family:
    """Distributions of one shape and any scale.

    Attributes:
        name: of the family.
        make: the distribution of a scale and a shape.
        begin: shapes where the search may begin.
        low, high: bounds of the numbers of a shape.
        part_of: the name of a family that has all of its distributions, so that it is tried only if it is asked for.
    """

    name: str
    make: Callable[..., Distribution]
    begin: tuple[tuple[float, ...], ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    part_of: str = ""

    @np.errstate(over="ignore", invalid="ignore")  # a step of the search may lead too far, and is taken back
    def fit(self, targets: Sequence[Target], begin: Fit | None = None) -> Fit:
        """The nearest of the family: at each shape the best scale is had at once, since what is spent is linear in it."""
        from scipy.optimize import least_squares

        goal = np.concatenate([target.residuals(target.spent) for target in targets])

        def shaped(shape: Array) -> tuple[float, Array]:
            unit, parts = self.make(1.0, *shape), []
            for target in targets:
                condition = target.bids.condition
                values = np.asarray(unit.quantile(condition.nodes.ravel())).reshape(condition.nodes.shape)
                parts.append(target.residuals(condition.spent(values)))
            column = np.concatenate(parts)
            scale = max(float(column @ goal) / max(float(column @ column), 1e-300), 1e-60)
            return scale, goal - scale * column

        starts = self.begin if begin is None else (begin.shape,)
        found = min(
            (
                least_squares(lambda s: shaped(s)[1], start, bounds=(self.low, self.high), x_scale="jac", max_nfev=40)
                for start in starts
            ),
            key=lambda result: float(result.cost),
        )
        shape = tuple(found.x.tolist())
        scale, left = shaped(found.x)
        return Fit(self.name, self.make(scale, *shape), float(left @ left), len(shape) + 1, shape)


FAMILIES: tuple[Smooth | Family, ...] = (
    Family("uniform", lambda high, low: Uniform(low * high, high), ((0.1,),), (0.0,), (0.999,), part_of="curve"),
    Family("power", lambda high, exponent: Power(exponent, high), ((1.0,),), SHAPES[:1], SHAPES[1:], part_of="beta"),
    Family("beta", lambda high, a, b: Beta(a, b, high), ((1.0, 1.0), (2.0, 4.0)), SHAPES[:1] * 2, SHAPES[1:] * 2),
    Family(
        "lognormal",
        lambda median, deviation: Lognormal(float(np.log(median)), deviation, median * float(np.exp(TAIL * deviation))),
        ((0.5,),),
        (0.01,),
        (3.0,),
    ),
    *(Smooth(degree) for degree in DEGREES),
)


def constant(distribution: Distribution) -> float | None:
    """The value that all have, if it is one."""
    if isinstance(distribution, Curve) and distribution.coefficients[0] == distribution.coefficients[-1]:
        return distribution.coefficients[0]
    return None


def words_of(distribution: Distribution) -> str:
    """What a group of bidders with these values is called by options and study files: `beta(2,3)`, or `common(0.5)`."""
    value = constant(distribution)
    return text_of(distribution) if value is None else f"common({value!r})"
