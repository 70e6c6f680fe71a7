"""The honest answer: the best weights by the ensemble, what they are worth, and which weights cannot be told from them.

It sees the ensemble only through its predictions; how it was trained, and what it predicts, is not known here.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.ascent import candidates, mirror_ascent
from allpay.errors import AllpayError

Array = NDArray[np.float64]

NEARLY_ALL = 0.9
"""The share of all designs above which those that cannot be told from the best are said to be nearly all."""


class Ensemble(Protocol):
    """What the optimum needs of a surrogate."""

    def members(self, weights: ArrayLike) -> Array:
        """`[members, points]` predictions at the weights `[points, n]`."""
        ...

    def value_and_gradient(self, weights: ArrayLike) -> tuple[Array, Array]:
        """The members' mean `[points]` and its gradient `[points, n]`."""
        ...


@dataclass(frozen=True)
class Optimum:
    """The best weights found, with their uncertainty.

    Attributes:
        weights: `[n]` where the ensemble's mean is highest.
        value: that mean, in units of the objective.
        low, high: confidence interval of the true value of these weights; it allows for their having been chosen because
            their prediction was high.
        interval: `[n, 2]` for each rank, the lowest and highest weight among the designs that cannot be told from the best.
        fraction: share of all designs (uniform on the ordered simplex) that cannot be told from the best.
        flat: whether these are nearly all designs, so that the best is no better than another.
        confidence: of both intervals.
        ranks: m, how many ranks may carry weight.
        objective: what the value is called.
    """

    weights: tuple[float, ...]
    value: float
    low: float
    high: float
    interval: tuple[tuple[float, float], ...]
    fraction: float
    flat: bool
    confidence: float
    ranks: int
    objective: str

    @property
    def sentence(self) -> str:
        """The answer in plain words."""
        best = ", ".join(f"{x:.3g}" if x >= 5e-4 else "0" for x in self.weights)
        within = f"{self.confidence:.0%} interval {self.low:.4g} to {self.high:.4g}"
        worth = f"predicted {self.objective} {self.value:.4g} ({within})"
        if self.ranks == 1:
            return f"Only the weights ({best}) are possible: {worth}."
        shown = self.interval[: 1 if self.ranks == 2 else self.ranks]  # of two weights, the first says all
        ranges = ", ".join(f"w_{k} from {a:.3g} to {b:.3g}" for k, (a, b) in enumerate(shown, start=1))
        if self.flat:
            return (
                f"The {self.objective} is flat as far as these simulations can tell: {self.fraction:.0%} of all designs"
                f" ({ranges}) cannot be told from the best, so the best found, ({best}), is no better than another; {worth}."
            )
        return f"Best weights ({best}): {worth}. Cannot be told apart from it: {self.fraction:.0%} of all designs, {ranges}."


def find_optimum(
    surrogate: Ensemble,
    n: int,
    m: int | None = None,
    *,
    confidence: float = 0.9,
    resolution: float = 0.0,
    objective: str = "revenue",
    points: int = 1001,
    starts: int = 32,
    seed: int = 0,
) -> Optimum:
    """Ascend the ensemble's mean from many starts, then ask the members how sure the answer is.

    The members' scatter about their mean stands for the mean's scatter about the truth (the bootstrap). Each member in
    turn plays the estimate, and the mean the truth:

    - *Which weights can be told from the best.* The loss at weights w is what the best is ahead of w. In the ensemble's
      world w* is the best, and each member m, judging by itself, finds it to lose max f_m − f_m(w*). With c the
      `confidence` quantile of these losses over members, the weights whose predicted loss is at most c (plus
      `resolution`) are kept. For a peak this is the interval by the likelihood ratio; at an end of the range it is
      one-sided, as it must be.
    - *What the best is worth.* Each member picks its own best, and overrates it by f_m(w_m) minus the mean there: partly by
      chance, partly because it picked where it was too high (the winner's curse). The quantiles of that error, taken off
      the value predicted at w*, bound the true value of w*.

    Args:
        surrogate: the ensemble.
        n: how many ranks there are.
        m: how many of them may carry weight, n without it.
        confidence: of both intervals.
        resolution: a difference of the objective that the simulation itself cannot resolve: error of its grid or its learning.
        objective: what it is called in the sentence.
        points: how many candidate designs are looked at.
        starts: from how many of them the mean is ascended.
        seed: of the candidates where they are a sample (m > 2); same seed, same bits.

    Raises:
        AllpayError: if m is not in 1 … n, the confidence not between 0 and 1, or the resolution negative.

    References:
        Davison and Hinkley (1997), Bootstrap methods and their application, sections 2.4 and 5.2.
    """
    m = n if m is None else m
    if not 0 < confidence < 1:
        raise AllpayError(f"confidence must lie between 0 and 1: got {confidence:g}; 0.9 is usual")
    if not resolution >= 0:
        raise AllpayError(f"resolution must be at least 0, in units of the objective: got {resolution:g}")
    designs = candidates(n, m, points, seed)
    best = _ascend(surrogate, designs, m, starts)
    everywhere = np.concatenate([best[None], designs])
    every = surrogate.members(everywhere)
    mean = every.mean(axis=0)

    own = every.argmax(axis=1)
    losses = every.max(axis=1) - every[:, 0]
    near = mean[0] - mean <= np.quantile(losses, confidence) + resolution
    overrated = every.max(axis=1) - mean[own]
    least, most = np.quantile(overrated, [(1 - confidence) / 2, (1 + confidence) / 2])

    ranges = np.stack([everywhere[near].min(axis=0), everywhere[near].max(axis=0)], axis=1)
    uniform = near[1:] if m <= 2 else near[1 + m :]  # without the corners, the candidates are uniform
    fraction = float(np.mean(uniform))
    value = float(mean[0])
    return Optimum(
        weights=tuple(float(x) for x in best),
        value=value,
        low=min(value, value - float(most)),
        high=max(value, value - float(least)),
        interval=tuple((float(a), float(b)) for a, b in ranges),
        fraction=fraction,
        flat=m > 1 and fraction >= NEARLY_ALL,
        confidence=confidence,
        ranks=m,
        objective=objective,
    )


def _ascend(surrogate: Ensemble, designs: Array, m: int, starts: int) -> Array:
    """`[n]` the best weights: from the highest candidates and from others spread over all of them."""
    value, _ = (np.asarray(a, float) for a in surrogate.value_and_gradient(designs))
    order = np.argsort(-np.where(np.isfinite(value), value, -np.inf), kind="stable")
    spread = np.linspace(0, len(designs) - 1, min(len(designs), starts)).astype(int)
    chosen = np.unique(np.concatenate([order[: max(1, starts // 4)], spread]))
    found = mirror_ascent(surrogate.value_and_gradient, designs[chosen], ranks=m, iterations=300, tolerance=1e-7)
    return found.weights if found.value >= value[order[0]] else designs[order[0]]
