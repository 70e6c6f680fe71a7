"""Comparative statics: the best design by theory, and what it brings, along one or two parameters of a contest."""

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.game import Array, Setting
from allpay.errors import AllpayError, one_of, short
from allpay.exact import ExactBest, best_in_theory, objective_at, question
from allpay.frozen import ByValue, Framed
from allpay.objectives import objective as read_objective
from allpay.scalars import real, whole
from allpay.study import DesignSpace
from allpay.study.space import OneDesignError

if TYPE_CHECKING:
    from polars import DataFrame

PARAMETERS = ("bidders", "cost_power", "risk_aversion", "attendance", "reserve", "fee", "max_bid")
"""What can vary between worlds."""

ALONG = (*PARAMETERS, "most_prizes")
"""Along what the best design is told: that, and how many ranks may carry weight."""

COUNTS = ("bidders", "most_prizes")
"""Those that are whole numbers."""

MOST_POINTS = 1000
"""So many designs are sought at most."""

CARRIES = 1e-6
"""A weight below this is none."""


SAME = 1e-8
"""Values that differ by a smaller part are the same."""


@dataclass(frozen=True, eq=False)
class Statics(ByValue, Framed):
    """The best design at each point.

    Attributes:
        over: the parameters that vary, and their values.
        space, setting, objective: the question at the other parameters.
        points: `[points]` the values of the parameters, in the order of `over`.
        best: `[points]` the best design there; None where there is no closed form.
        reasons: `[points]` why there is none, where there is none.
        seconds: how long it took.
    """

    over: tuple[tuple[str, tuple[float, ...]], ...]
    space: DesignSpace
    setting: Setting
    objective: str
    points: tuple[tuple[float, ...], ...]
    best: tuple[ExactBest | None, ...]
    reasons: tuple[str | None, ...]
    seconds: float = field(default=0.0, compare=False)

    @property
    def ranks(self) -> int:
        """How many ranks carry weight in some best design."""
        carrying = [np.flatnonzero(np.array(best.weights) > CARRIES) for best in self.best if best is not None]
        return max((int(ranks[-1]) + 1 for ranks in carrying), default=1)

    @property
    def table(self) -> "DataFrame":
        """A row per point: the parameters, the `value` of the best design, how many `prizes` it has, `flat` where all designs
        are worth the same, the weights `w1` … of the ranks that carry any in some row, null where there is no such rank, and
        what is chosen beside them."""
        import polars as pl

        names = [name for name, _ in self.over]
        rows: list[dict[str, Any]] = []
        for point, best in zip(self.points, self.best, strict=True):
            row: dict[str, Any] = dict(zip(names, point, strict=True))
            given = () if best is None or best.flat else best.weights
            row["value"] = None if best is None else best.value
            row["prizes"] = None if best is None or best.flat else paid(best)
            row["flat"] = None if best is None else best.flat
            for k in range(self.ranks):
                row[f"w{k + 1}"] = float(given[k]) if k < len(given) else None
            row |= dict(best.chosen) if best is not None else {}
            rows.append(row)
        table = pl.DataFrame(rows, infer_schema_length=None)
        return table.with_columns(pl.col(name).cast(pl.Int64) for name in names if name in COUNTS)

    def to_json(self) -> dict[str, Any]:
        """For JSON: the rows, and the whole question."""
        return {
            "over": {name: list(values) for name, values in self.over},
            "objective": self.objective,
            "rows": self.table.to_dicts(),
            "reasons": list(self.reasons),
            **question(self),
        }


def paid(best: ExactBest) -> int:
    """How many ranks of a design carry weight: how many prizes are paid."""
    return int(np.sum(np.array(best.weights) > CARRIES))


def comparative_statics(
    over: Mapping[str, Sequence[float]],
    setting: Setting | None = None,
    space: DesignSpace | None = None,
    objective: str = "revenue",
    advance: Callable[[float, float], None] | None = None,
) -> Statics:
    """The best design by theory along one or two parameters.

    Args:
        over: which parameters, of `ALONG`, and their values: `{"bidders": range(3, 21)}`; `{"most_prizes": range(1, 9)}` is
            how many ranks may carry weight, all where there are fewer bidders.
        setting: who bids for what, at the other parameters; private values uniform on [0, 1], if not given.
        space: the designs; its ranks are kept where they are given and not what varies, else all but the last may carry weight.
        objective: what the design is best for.
        advance: is told how many of how many are done.

    Raises:
        AllpayError: if a parameter is unknown, there are none, more than two, or too many points.

    >>> found = comparative_statics({"bidders": [2, 3]})
    >>> found.table["value"].round(6).to_list()
    [0.333333, 0.5]
    """
    start = time.perf_counter()
    read_objective(objective)  # what cannot be read is said now
    setting, space = setting or Setting(), space or DesignSpace()
    ranges = ranges_of(over, ALONG)
    points = tuple(itertools.product(*(values for _, values in ranges)))
    found: list[ExactBest | str] = []
    for i, point in enumerate(points):
        found.append(_best(dict(zip(over, point, strict=True)), setting, space, objective))
        if "most_prizes" in over:
            found[-1] = _no_more(list(over), points[:i], found, point)
        if advance is not None:
            advance(i + 1, len(points))
    return Statics(
        *(ranges, space, setting, objective, points),
        tuple(None if isinstance(best, str) else best for best in found),
        tuple(best if isinstance(best, str) else None for best in found),
        time.perf_counter() - start,
    )


def _numbers(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """The values of a parameter, as plain numbers."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence | np.ndarray) or len(values) == 0:
        raise AllpayError(f"{name} varies over several numbers: got {short(values)}")
    if name in COUNTS:
        return tuple(
            whole(name.replace("_", " "), int(x) if isinstance(x, float) and x.is_integer() else x) for x in values
        )
    return tuple(real(name.replace("_", " "), x) for x in values)


def ranges_of(
    over: Mapping[str, Sequence[float]], names: Sequence[str] = PARAMETERS
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """The parameters that vary, of those with these names, and their values, as plain numbers.

    Raises:
        AllpayError: if a parameter is unknown, there are none or more than two, or they make too many points.
    """
    ranges = tuple((one_of("parameter", name, names), _numbers(name, values)) for name, values in over.items())
    if not 1 <= len(ranges) <= 2:
        raise AllpayError(f"one or two parameters vary: got {len(ranges)}; give a range, as --bidders 3:20")
    count = math.prod(len(values) for _, values in ranges)
    if count > MOST_POINTS:
        raise AllpayError(f"at most {MOST_POINTS:,} designs are sought: got {count:,} points; take longer steps")
    return ranges


def at_point(point: Mapping[str, float], setting: Setting, space: DesignSpace) -> tuple[Setting, DesignSpace]:
    """The setting and the designs where parameters of worlds have these values."""
    at: dict[str, Any] = {name: value for name, value in point.items() if name != "bidders"}
    here = replace(setting, **at) if at else setting
    return here, replace(space, bidders=int(point["bidders"])) if "bidders" in point else space


def _best(point: Mapping[str, float], setting: Setting, space: DesignSpace, objective: str) -> ExactBest | str:
    """The best design at a point, or why theory knows none."""
    world = {name: value for name, value in point.items() if name != "most_prizes"}
    here, designs = at_point(world, setting, replace(space, ranks=None) if "most_prizes" in point else space)
    try:
        if "most_prizes" in point:
            designs = replace(designs, ranks=min(int(point["most_prizes"]), designs.bidders))
    except OneDesignError as error:
        return _alone(error.weights, here, designs, objective)
    try:
        objective_at(designs, here, objective)
    except AllpayError as error:
        return str(error)
    best = best_in_theory(designs, here, objective)
    return "no design that was looked at has an equilibrium in closed form" if best is None else best


def _no_more(
    names: Sequence[str],
    before: Sequence[tuple[float, ...]],
    found: Sequence[ExactBest | str],
    point: tuple[float, ...],
) -> ExactBest | str:
    """The best design at a point; of those that more prizes do not improve, the one that was found with fewer allowed.

    Args:
        names: the parameters.
        before: `[points]` the points before this one.
        found: `[points + 1]` what is best at each, and here.
        point: where.
    """
    k, best = names.index("most_prizes"), found[-1]
    for other, fewer in zip(before, found, strict=False):
        same = (*other[:k], *other[k + 1 :]) == (*point[:k], *point[k + 1 :]) and other[k] <= point[k]
        if same and not isinstance(best, str) and not isinstance(fewer, str) and not best.flat and not fewer.flat:
            best = fewer if fewer.value >= best.value - SAME * abs(best.value) else best
    return best


def _alone(weights: Array, setting: Setting, space: DesignSpace, objective: str) -> ExactBest | str:
    """The only design that is allowed, and what it brings.

    Args:
        weights: `[bidders]` the design.
        space: any designs for so many bidders.
    """
    try:
        value = float(objective_at(space, setting, objective)(space.points(weights)[None])[0][0])
    except AllpayError as error:
        return str(error)
    if not np.isfinite(value):
        return "the only design that is allowed has no equilibrium in closed form"
    return ExactBest(tuple(weights.tolist()), value, False, 1.0)
