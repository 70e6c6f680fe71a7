"""One design for several worlds: what each design loses in each scenario, and which loses least whatever turns out to be true.

By theory here, by learning in `rehearsal`. What differs between scenarios is not known to the designer, and no simulation
tells: it is model uncertainty.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.ascent import mirror_ascent, polish
from allpay.contest.game import Array, Setting
from allpay.errors import AllpayError, short
from allpay.exact import best_in_theory, objective_at, question
from allpay.frozen import ByValue, Framed
from allpay.objectives import objective as read_objective
from allpay.simplex import Polytope
from allpay.statics import CARRIES, at_point, ranges_of
from allpay.study import DesignSpace, Study
from allpay.study.identity import written
from allpay.study.scenario import Scenario, chances, check_scenarios, common_space, scenario_in_words
from allpay.study.space import widened

if TYPE_CHECKING:
    from polars import DataFrame

SHARPER = (10.0, 100.0, 1000.0, 1e4)
"""In place of the largest loss, which is not smooth in the design, stands the logarithm of a mean of exponentials of losses
times one of these; with the last it is within a tenth of a percent of the largest."""

ON_AVERAGE, IN_THE_WORST_CASE = "best on average", "best in the worst case"
"""What the two compromises are called."""

GIVEN = "given"
"""What designs are called that the user gave."""

SAME = 1e-3
"""Designs whose weights differ by less have one number."""

TRIED = 3
"""From how many designs, at most, a compromise is sought."""

ASCENT = 60
"""How many steps of mirror ascent each is given, where that is cheap."""

ValueAndGradient = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Comparison(ByValue, Framed):
    """Designs beside each other in several scenarios.

    Attributes:
        scenarios: the worlds that may be true.
        names: `[designs]` what each design is: `given`, the best of one scenario, the best on average, in the worst case.
        designs: `[designs, n]` their weights, for the fewest bidders of any scenario, and what is chosen beside them.
        ranks: how many of them may carry weight.
        values: `[designs, scenarios]` what each brings.
        best: `[scenarios]` what the best design of each scenario brings there.
        space: the designs that are possible in every scenario.
        setting, objective: the question at the other parameters.
        seconds: how long it took.
        study: the designs, learner and rounds by which values were learned; None where they are theory's.
        errors: `[designs, scenarios]` by how much a loss may be off, numerically: half the length of its interval; 0 by theory,
            NaN where a single round says nothing of it.
        exact: `[designs, scenarios]` what theory says to values that were learned; NaN where it has no formula.
    """

    scenarios: tuple[Scenario, ...]
    names: tuple[str, ...]
    designs: Array
    ranks: int
    values: Array
    best: Array
    space: DesignSpace
    setting: Setting
    objective: str
    seconds: float = field(default=0.0, compare=False)
    study: Study | None = None
    errors: Array = field(default_factory=lambda: np.zeros(()))
    exact: Array = field(default_factory=lambda: np.full((), np.nan))

    def __post_init__(self) -> None:
        for name in ("errors", "exact"):
            object.__setattr__(self, name, np.array(np.broadcast_to(getattr(self, name), self.values.shape)))

    @property
    def weights(self) -> Array:
        """`[designs, bidders]` the weights of the designs."""
        return self.designs[:, : self.space.bidders]

    def chosen(self, design: int) -> dict[str, float]:
        """What a design has beside its weights, by name."""
        n = self.space.bidders
        return dict(zip(self.space.names[n:], self.designs[design, n:].tolist(), strict=True))

    @property
    def method(self) -> str:
        """`theory` or `surrogate`, as the methods of `design` are called."""
        return "theory" if self.study is None else "surrogate"

    @property
    def losses(self) -> Array:
        """`[designs, scenarios]` the regret: what each design loses, as a part of what the best one of the scenario brings."""
        scale = np.abs(np.where(self.best == 0, 1.0, self.best))
        return np.maximum((self.best - self.values) / scale, 0.0)

    @property
    def chances(self) -> Array:
        """`[scenarios]` how likely the designer holds each; they sum to 1."""
        return chances(self.scenarios)

    @property
    def mean_losses(self) -> Array:
        """`[designs]` the loss on average over scenarios, each as likely as the designer holds it."""
        return np.asarray(self.losses @ self.chances)

    @property
    def safest(self) -> int:
        """Which design loses least in its worst scenario."""
        return int(np.argmin(self.losses.max(axis=1)))

    @property
    def numbers(self) -> tuple[int, ...]:
        """`[designs]` what each is numbered as, from 1 on: one that is the best of several scenarios has one number, that of
        a given one which it is, if it is one. Given designs have a number each."""
        points, firsts = self.space.points(self.designs), list[int]()
        found = []
        for d, name in enumerate(self.names):
            same = (k for k, first in enumerate(firsts) if np.abs(points[first] - points[d]).max() < SAME)
            number = len(firsts) if name == GIVEN else next(same, len(firsts))
            if number == len(firsts):
                firsts.append(d)
            found.append(number + 1)
        return tuple(found)

    @property
    def limit(self) -> int | None:
        """How many ranks may carry weight, if the best design of some scenario could have more; None if none could."""
        free = max(replace(self.space, bidders=each.bidders, ranks=None).dimension for each in self.scenarios)
        return self.ranks if self.ranks < free else None

    @property
    def over(self) -> dict[str, tuple[Any, ...]]:
        """What the scenarios change, and to what: the values of each parameter, None where a scenario leaves it as it is."""
        changes = [dict(each.changes) for each in self.scenarios]
        names = dict.fromkeys(name for each in changes for name in each)
        return {name: tuple(each.get(name) for each in changes) for name in names}

    @property
    def table(self) -> "DataFrame":
        """A row per design and scenario: `design`, its number (`numbers`); `name`; `scenario`, what it is called; `chance`;
        the parameters that scenarios change; `value`; `loss`; its numerical `error`; the weights `w1` … of ranks that carry
        any; and what is chosen beside them."""
        import polars as pl

        count, worlds = self.values.shape
        carrying = np.flatnonzero((self.weights > CARRIES).any(axis=0))
        columns: dict[str, Any] = {
            "design": np.repeat(self.numbers, worlds),
            "name": [name for name in self.names for _ in range(worlds)],
            "scenario": [each.name for each in self.scenarios] * count,
            "chance": np.tile(self.chances, count),
            **{name: _column(values) * count for name, values in self.over.items()},
            "value": self.values.ravel(),
            "loss": self.losses.ravel(),
            "error": [None if np.isnan(x) else float(x) for x in self.errors.ravel()],
        }
        for k in range(int(carrying.max(initial=0)) + 1):
            columns[f"w{k + 1}"] = np.repeat(self.designs[:, k], worlds)
        for k in range(self.space.bidders, self.designs.shape[1]):
            columns[self.space.names[k]] = np.repeat(self.designs[:, k], worlds)
        return pl.DataFrame(columns, strict=False)

    def to_json(self) -> dict[str, Any]:
        """All of it, and the whole question, as plain values."""
        lost, average = self.losses, self.mean_losses
        learned = {} if self.study is None else {"exact": self.exact}
        parts = {"values": self.values, "losses": lost, "errors": self.errors, **learned}
        asked = {} if self.study is None else {"study": written(self.study, "the study")}
        scenarios = [
            {
                "name": each.name,
                "weight": each.weight,
                "bidders": each.bidders,
                **dict(each.changes),
                "setting": written(each.setting, "the setting"),
                "best": float(best),
            }
            for each, best in zip(self.scenarios, self.best, strict=True)
        ]
        return {
            "method": self.method,
            "over": {name: list(values) for name, values in self.over.items()},
            "objective": self.objective,
            "scenarios": scenarios,
            "designs": [
                {
                    "name": name,
                    "number": self.numbers[d],
                    "weights": self.weights[d].tolist(),
                    **({"chosen": self.chosen(d)} if self.space.choose else {}),
                    **{part: [None if np.isnan(x) else float(x) for x in found[d]] for part, found in parts.items()},
                    "largest_loss": float(lost[d].max()),
                    "mean_loss": float(average[d]),
                }
                for d, name in enumerate(self.names)
            ],
            "safest": self.safest + 1,
            "most_ranks": self.limit,
            **question(self, **asked),
        }


def compare(
    designs: Sequence[float | Sequence[float]],
    over: Mapping[str, Sequence[float]] | Sequence[Scenario],
    setting: Setting | None = None,
    space: DesignSpace | None = None,
    objective: str = "revenue",
    advance: Callable[[float, float], None] | None = None,
) -> Comparison:
    """Given designs in several scenarios, beside the best of each scenario, the best on average and the best in the worst case.

    The best on average has the least mean loss over scenarios, each as likely as its weight says; the best in the worst case
    has the least largest loss (minimax regret; Savage 1951).

    Args:
        designs: the weights of each, and after them what is chosen beside them; there may be none.
        over: the scenarios; or the parameters that differ between them, and their values: `{"bidders": [40, 80, 120]}`; see
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
    scenarios = scenarios_over(over, setting, space)
    common = common_space(space, scenarios)
    fewest = common.bidders
    given = [common.whole(design) for design in designs]
    values = [_in_theory(each, common, objective) for each in scenarios]
    best, own = [], []
    for i, each in enumerate(scenarios):
        where = replace(common, bidders=each.bidders)
        found = best_in_theory(where, each.setting, objective)
        if found is None or not found.value > 0:
            raise AllpayError(
                f"theory has no best design, worth more than nothing, for {each.name}: leave that scenario out, or choose the "
                "method surrogate"
            )
        best.append(found.value)
        own.append(np.array(found.design)[[*range(fewest), *range(each.bidders, len(found.design))]])
        if advance is not None:
            advance(i + 1, len(scenarios))
    most = np.array(best)
    every = common.points(np.stack([*(np.array(design, float) for design in given), *own, *own[:1], *own[:1]]))
    every[-2:] = compromises(values, most, chances(scenarios), common.polytope, common.points(np.stack(own)))
    brought = np.stack([value(every)[0] for value in values], axis=1)
    if not np.all(np.isfinite(brought)):
        bad, where_bad = (int(x) for x in np.argwhere(~np.isfinite(brought))[0])
        raise AllpayError(
            f"theory has no formula for design {bad + 1} for {scenarios[where_bad].name}: leave it out, or choose the method "
            "surrogate"
        )
    return Comparison(
        *(scenarios, names_of(len(given), scenarios), common.designs(every), common.dimension, brought),
        *(np.maximum(most, brought.max(axis=0)), common, setting, objective, time.perf_counter() - start),
    )


def scenarios_over(
    over: Mapping[str, Sequence[float]] | Sequence[Scenario], setting: Setting, space: DesignSpace
) -> tuple[Scenario, ...]:
    """The scenarios that are given, or one for each point of a grid of parameters.

    Raises:
        AllpayError: if a parameter is unknown, or there are fewer than two scenarios.
    """
    if not isinstance(over, Mapping):
        return check_scenarios(over)
    ranges = ranges_of(over)
    found = []
    for values in itertools.product(*(numbers for _, numbers in ranges)):
        point = {name: x for (name, _), x in zip(ranges, values, strict=True)}
        here, where = at_point(point, setting, replace(space, ranks=None))
        found.append(Scenario(scenario_in_words(point), here, where.bidders, changes=tuple(point.items())))
    return check_scenarios(found)


def names_of(given: int, scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """What the designs of a comparison are called: those given, the best of each scenario, and the two compromises."""
    return (*[GIVEN] * given, *(f"best for {each.name}" for each in scenarios), ON_AVERAGE, IN_THE_WORST_CASE)


def _in_theory(scenario: Scenario, common: DesignSpace, objective: str) -> ValueAndGradient:
    """What points of the common space `[designs, n]` bring in a scenario by theory, and the gradient.

    Raises:
        AllpayError: if theory has no such function of designs.
    """
    try:
        space = replace(common, bidders=scenario.bidders)
        space.check_setting(scenario.setting)
        exact = objective_at(space, scenario.setting, objective)
    except AllpayError as error:
        raise AllpayError(f"for {scenario.name}: {error}") from None
    return for_more_bidders(exact, len(common.choose), scenario.bidders)


def for_more_bidders(value_at: Callable[[Array], tuple[Any, Any]], beside: int, bidders: int) -> ValueAndGradient:
    """A function of points for so many bidders, as one of points for fewer: the ranks after these carry nothing.

    Args:
        value_at: the function, with its gradient.
        beside: how many numbers stand beside the weights.
        bidders: for how many it is.
    """

    def shorter(points: Array) -> tuple[Array, Array]:
        n = points.shape[1] - beside
        value, slope = value_at(widened(points, beside, bidders))
        return np.asarray(value), np.delete(np.asarray(slope), slice(n, bidders), axis=1)

    return shorter


def compromises(
    values: Sequence[ValueAndGradient],
    most: Array,
    chance: Array,
    polytope: Polytope,
    starts: Array,
    *,
    cheap: bool = False,
) -> Array:
    """`[2, n]` the designs with the least mean loss over scenarios, and with the least largest loss.

    Args:
        values: `[scenarios]` what designs `[designs, n]` bring in each, and the gradient.
        most: `[scenarios]` what the best design brings in each, of which losses are parts.
        chance: `[scenarios]` how likely each is.
        polytope: where designs lie.
        starts: `[designs, n]` among which the search begins: from the best few of them, by mirror ascent where values are
            cheap, and by sequential quadratic programming.
        cheap: whether they are.
    """
    losses = _losses(values, most)

    def sought(sharpness: Sequence[float]) -> Array:
        def good(designs: Array) -> Array:
            lost = losses(designs)[0]
            worth = -(lost @ chance) if sharpness[-1] == 0 else -lost.max(axis=1)
            return np.where(np.isfinite(worth), worth, -np.inf)

        def best(designs: Array, count: int) -> Array:
            return designs[np.argsort(-good(designs), kind="stable")[:count]]

        tried = starts if cheap else best(starts, TRIED)
        for sharp in sharpness:
            combined = _combined(losses, chance, sharp)
            if cheap:
                ended = mirror_ascent(combined, tried, polytope=polytope, iterations=ASCENT).all_weights
                tried = best(ended, TRIED)
            tried = best(np.stack([polish(combined, design, polytope=polytope)[0] for design in tried]), 1)
        every = np.concatenate([tried, starts])
        return np.asarray(best(every, 1)[0])

    return np.stack([sought((0.0,)), sought(SHARPER)])


def _losses(values: Sequence[ValueAndGradient], most: Array) -> ValueAndGradient:
    """The losses of designs in each scenario `[designs, scenarios]`, and their gradients `[designs, scenarios, ranks]`."""
    scale = np.abs(np.where(most == 0, 1.0, most))

    def losses(weights: Array) -> tuple[Array, Array]:
        found = [value(weights) for value in values]
        lost = np.stack([(top - value) / s for (value, _), top, s in zip(found, most, scale, strict=True)], axis=1)
        return lost, np.stack([-slope / s for (_, slope), s in zip(found, scale, strict=True)], axis=1)

    return losses


def _combined(losses: ValueAndGradient, chance: Array, sharp: float) -> ValueAndGradient:
    """What is to be made large: 1 less the mean loss (`sharp` 0), or 1 less the largest as ln(mean e^(sharp·loss))/sharp."""

    def combined(weights: Array) -> tuple[Array, Array]:
        lost, slopes = losses(weights)
        if sharp == 0.0:
            return 1 - lost @ chance, -np.einsum("s,dsr->dr", chance, slopes)
        top = lost.max(axis=1, keepdims=True)
        parts = np.exp(sharp * (lost - top))
        value = top[:, 0] + np.log(parts.mean(axis=1)) / sharp
        shares = parts / parts.sum(axis=1, keepdims=True)
        return 1 - value, -np.einsum("ds,dsr->dr", shares, slopes)

    return combined


def _column(values: Sequence[Any]) -> list[Any]:
    """The values of a parameter as a column: texts, where some are."""
    texts = any(value is not None and not isinstance(value, (int, float)) for value in values)
    return [None if value is None else short(value).strip("'") if texts else value for value in values]
