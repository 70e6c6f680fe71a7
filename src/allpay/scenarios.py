"""One design for several worlds: what each design loses in each scenario, and which loses least whatever turns out to be true.

By theory. What differs between scenarios is not known to the designer, and no simulation tells: it is model uncertainty.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.ascent import polish
from allpay.contest.game import Array, Setting
from allpay.errors import AllpayError
from allpay.exact import best_in_theory, question
from allpay.frozen import ByValue
from allpay.objectives import objective as read_objective
from allpay.scalars import numeral
from allpay.statics import at_point, ranges_of
from allpay.study import DesignSpace
from allpay.theory import design_objective

if TYPE_CHECKING:
    from polars import DataFrame

SHARPER = (10.0, 100.0, 1000.0, 1e4)
"""In place of the largest loss, which is not smooth in the design, stands the logarithm of a mean of exponentials of losses
times one of these; with the last it is within a tenth of a percent of the largest."""

ValueAndGradient = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Comparison(ByValue):
    """Designs beside each other in several scenarios.

    Attributes:
        over: the parameters that differ between scenarios, and their values.
        scenarios: `[scenarios]` the values of the parameters in each, in the order of `over`.
        names: `[designs]` what each design is: `given`, the best of one scenario, the best on average, in the worst case.
        designs: `[designs, bidders]` their weights, for the fewest bidders of any scenario.
        ranks: how many of them may carry weight.
        values: `[designs, scenarios]` what each brings.
        best: `[scenarios]` what the best design of each scenario brings there.
        space, setting, objective: the question at the other parameters.
        seconds: how long it took.
    """

    over: tuple[tuple[str, tuple[float, ...]], ...]
    scenarios: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    designs: Array
    ranks: int
    values: Array
    best: Array
    space: DesignSpace
    setting: Setting
    objective: str
    seconds: float = field(default=0.0, compare=False)

    @property
    def losses(self) -> Array:
        """`[designs, scenarios]` the regret: what each design loses, as a part of what the best one of the scenario brings."""
        return np.maximum((self.best - self.values) / np.abs(self.best), 0.0)

    @property
    def safest(self) -> int:
        """Which design loses least in its worst scenario."""
        return int(np.argmin(self.losses.max(axis=1)))

    @property
    def table(self) -> "DataFrame":
        """A row per design and scenario: `design`, its number; `name`; the parameters; `value`; and `loss`."""
        import polars as pl

        rows = [
            {
                "design": d + 1,
                "name": name,
                **{parameter: x for (parameter, _), x in zip(self.over, scenario, strict=True)},
                "value": float(self.values[d, s]),
                "loss": float(self.losses[d, s]),
            }
            for d, name in enumerate(self.names)
            for s, scenario in enumerate(self.scenarios)
        ]
        return pl.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """All of it, and the whole question, as plain values."""
        return {
            "over": {name: list(values) for name, values in self.over},
            "objective": self.objective,
            "scenarios": [dict(zip([n for n, _ in self.over], s, strict=True)) for s in self.scenarios],
            "designs": [
                {
                    "name": name,
                    "weights": weights.tolist(),
                    "values": values.tolist(),
                    "losses": losses.tolist(),
                    "largest_loss": float(losses.max()),
                    "mean_loss": float(losses.mean()),
                }
                for name, weights, values, losses in zip(
                    self.names, self.designs, self.values, self.losses, strict=True
                )
            ],
            "safest": self.safest + 1,
            **question(self),
        }


def compare(
    designs: Sequence[float | Sequence[float]],
    over: Mapping[str, Sequence[float]],
    setting: Setting | None = None,
    space: DesignSpace | None = None,
    objective: str = "revenue",
    advance: Callable[[float, float], None] | None = None,
) -> Comparison:
    """Given designs in several scenarios, beside the best of each scenario, the best on average and the best in the worst case.

    The best on average has the least mean loss over scenarios, each as likely as another; the best in the worst case has the
    least largest loss (minimax regret; Savage 1951).

    Args:
        designs: the weights of each; there may be none.
        over: the parameters that differ between scenarios, and their values: `{"bidders": [40, 80, 120]}`; see
            `allpay.statics.PARAMETERS`.
        setting: who bids for what, at the other parameters; private values uniform on [0, 1], if not given.
        space: the designs; where the number of bidders varies, as many ranks may carry weight as the fewest bidders allow.
        objective: what a design is best for.
        advance: is told how many scenarios of how many are done.

    Raises:
        AllpayError: if a parameter or design is wrong, or theory has no formula in some scenario.

    >>> found = compare([0.5], {"cost_power": [1.0, 2.0]}, Setting(), DesignSpace(bidders=4))
    >>> found.names[0], found.losses[0].round(4).tolist()
    ('given', [0.3333, 0.0692])
    """
    start = time.perf_counter()
    read_objective(objective)
    setting, space = setting or Setting(), space or DesignSpace()
    ranges = ranges_of(over)
    scenarios = tuple(itertools.product(*(values for _, values in ranges)))
    names = [name for name, _ in ranges]
    points = [dict(zip(names, scenario, strict=True)) for scenario in scenarios]
    fewest = int(min(point.get("bidders", space.bidders) for point in points))
    common = _common(space, fewest)
    given = [common.complete(weights) for weights in designs]
    values: list[ValueAndGradient] = []
    best, own = [], []
    for i, point in enumerate(points):
        here, where = at_point(point, setting, common)
        values.append(_worth(here, where, objective))
        found = best_in_theory(where, here, objective)
        if found is None or not found.value > 0:
            raise AllpayError(
                f"theory has no best design, worth more than nothing, for {scenario_in_words(point)}: leave that scenario out"
            )
        best.append(found.value)
        own.append(np.array(found.weights[:fewest]))
        if advance is not None:
            advance(i + 1, len(points))
    most = np.array(best)
    rows = [np.array(weights, float) for weights in given]
    told = ["given"] * len(rows)
    for design, point in zip(own, points, strict=True):
        rows.append(design)
        told.append(f"best for {scenario_in_words(point)}")
    losses = _losses(values, most)
    start_at = min(own, key=lambda design: float(losses(design[None])[0].max()))
    for name, sharpness in (("best on average", (0.0,)), ("best in the worst case", SHARPER)):
        design = start_at
        for sharp in sharpness:
            design, _ = polish(_combined(losses, sharp), design, polytope=common.polytope)
        rows.append(design)
        told.append(name)
    every = np.stack(rows)
    brought = np.stack([value(every)[0] for value in values], axis=1)
    if not np.all(np.isfinite(brought)):
        bad = int(np.argwhere(~np.isfinite(brought))[0][0])
        raise AllpayError(f"theory has no formula for design {bad + 1} in some scenario: leave it out")
    return Comparison(
        *(ranges, scenarios, tuple(told), every, common.dimension, brought, np.maximum(most, brought.max(axis=0))),
        *(space, setting, objective, time.perf_counter() - start),
    )


def scenario_in_words(point: Mapping[str, float]) -> str:
    """A scenario as people say it.

    >>> scenario_in_words({"bidders": 40, "cost_power": 2.0})
    '40 bidders, cost power 2'
    """
    return ", ".join(
        f"{numeral(x)} bidders" if name == "bidders" else f"{name.replace('_', ' ')} {numeral(x)}"
        for name, x in point.items()
    )


def _common(space: DesignSpace, fewest: int) -> DesignSpace:
    """The designs that are possible in every scenario, of which one has so few bidders: no other has more ranks."""
    common = replace(space, bidders=fewest)
    return replace(common, ranks=int(common.dimension))


def _worth(setting: Setting, space: DesignSpace, objective: str) -> ValueAndGradient:
    """What designs of the common ranks `[designs, ranks]` bring in a scenario, and the gradient."""
    n = space.bidders
    exact = design_objective(
        setting.game(space.mechanism(space.sample(1, 0)[0])), space.rule, objective, space.dimension
    )

    def worth(weights: Array) -> tuple[Array, Array]:
        ranks = weights.shape[1]
        value, slope = exact(np.pad(weights, ((0, 0), (0, n - ranks))))
        return np.asarray(value), np.asarray(slope)[:, :ranks]

    return worth


def _losses(values: Sequence[ValueAndGradient], most: Array) -> ValueAndGradient:
    """The losses of designs in each scenario `[designs, scenarios]`, and their gradients `[designs, scenarios, ranks]`."""

    def losses(weights: Array) -> tuple[Array, Array]:
        found = [value(weights) for value in values]
        lost = np.stack([1 - value / top for (value, _), top in zip(found, most, strict=True)], axis=1)
        return lost, np.stack([-slope / top for (_, slope), top in zip(found, most, strict=True)], axis=1)

    return losses


def _combined(losses: ValueAndGradient, sharp: float) -> ValueAndGradient:
    """What is to be made large: 1 less the mean loss (`sharp` 0), or 1 less the largest as ln(mean e^(sharp·loss))/sharp."""

    def combined(weights: Array) -> tuple[Array, Array]:
        lost, slopes = losses(weights)
        if sharp == 0.0:
            return 1 - lost.mean(axis=1), -slopes.mean(axis=1)
        top = lost.max(axis=1, keepdims=True)
        parts = np.exp(sharp * (lost - top))
        value = top[:, 0] + np.log(parts.mean(axis=1)) / sharp
        shares = parts / parts.sum(axis=1, keepdims=True)
        return 1 - value, -np.einsum("ds,dsr->dr", shares, slopes)

    return combined
