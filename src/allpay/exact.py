"""The best design by theory, with all designs that do practically as well, and its digits as far as they are determined.

The set is named by what is lost: all designs whose objective is within a part of the best. No simulation, no network.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from allpay.ascent import few_corners, mirror_ascent, polish, thinned
from allpay.concave import Concave, furthest, highest
from allpay.contest.game import Array, Setting
from allpay.errors import AllpayError, exactly
from allpay.frozen import Brief, Framed
from allpay.objectives import Objective
from allpay.rounding import in_steps
from allpay.scalars import real
from allpay.simplex import Polytope, every_corner, looked_at
from allpay.study import DesignSpace
from allpay.study.identity import written
from allpay.theory import design_objective
from allpay.versions import versions

WITHIN = 0.005
"""The part of the objective that designs may lose that count as practically as good, if nothing else is said."""

EXACT = 1e-11
"""The part of the objective to which the best is known. A decimal of a weight is told if another would lose more."""

MOST_DIGITS = 4
"""Weights are told to so many decimals at most."""

NOTHING = 1e-9
"""A part of the objective that is nothing to lose for one prize fewer."""

ASIDE = 0.5
"""How far from the best, on the way to the middle, a second search begins."""

RANGED = 8
"""Of so many ranks, the first, the range of weights is sought by optimisation; of others it is what was met on the way."""

MOST_ENDS = 64
"""Of more corners than these, which a bound on the first of many ranks leaves, so many are taken into the optimisation, evenly:
it solves systems of as many equations, and neighbours among so many corners are much alike."""

HALVINGS = 14
"""How often the logarithm of a step away from the best is halved to find where it loses too much."""

LEAST_STEP = -9.0
"""The logarithm of the least such step."""

MOST_BUILT = 64
"""What the objective is built of is kept for so many values of what is chosen beside the weights and the purse."""

STEP = 1e-4
"""By so much of its range a number that is chosen beside the weights is changed to see what the objective does."""

ValueAndGradient = Callable[[Array], tuple[Array, Array]]

LOOKED = 101
"""How many designs are looked at first."""

ASCENTS = 8
"""From how many of the best designs looked at the exact objective is ascended."""

ASCENTS_ON_A_LINE = 2
"""The same where designs are those of a line."""

ITERATIONS = 20
"""How many steps of ascent each of these is given, before the best of them is polished."""

MOST_CORNERS = 160
"""Of more corners than this some are left out by Newton's method, which solves systems of as many equations."""

NEGLIGIBLE = 1e-9
"""A coordinate below this part of the largest is what a search from inside leaves of 0."""

ROUNDING = 1e-13
"""A part of the objective that is rounding."""


@dataclass(frozen=True)
class ExactBest(Brief):
    """The best design by the closed-form equilibrium.

    Attributes:
        weights: `[bidders]` the design.
        value: the objective in its equilibrium.
        flat: whether all designs that have an equilibrium are worth the same, so that none is best.
        fraction: the share of the designs looked at that have a symmetric equilibrium; the others cannot be compared.
        chosen: what is chosen beside the weights, `(name, number)` each.
    """

    weights: tuple[float, ...]
    value: float
    flat: bool
    fraction: float
    chosen: tuple[tuple[str, float], ...] = ()

    @property
    def design(self) -> tuple[float, ...]:
        """The weights, and what is chosen beside them."""
        return (*self.weights, *(number for _, number in self.chosen))


def best_in_theory(space: DesignSpace, setting: Setting, objective: str = "revenue") -> ExactBest | None:
    """The design whose symmetric equilibrium is best: the exact objective, ascended by its own gradient.

    Args:
        space: the designs.
        setting: who bids for what.
        objective: `revenue` or `highest-bid`.

    Returns:
        None where no design that was looked at has an equilibrium in closed form.
    """
    try:
        exact = objective_at(space, setting, objective)
        designs = np.concatenate(looked_at(space.polytope, count=LOOKED))
        values = exact(designs)[0]
    except AllpayError:  # values with atoms that do not say where
        return None
    return _best(space, exact, designs, values)


def _best(space: DesignSpace, exact: ValueAndGradient, designs: Array, values: Array) -> ExactBest | None:
    """The best design by an exact objective, of which these designs and their values are known."""
    known = np.isfinite(values)
    if not known.any():
        return None
    order = np.argsort(-np.where(known, values, -np.inf), kind="stable")
    best, value = designs[order[0]], float(values[order[0]])
    try:
        ascents = ASCENTS if space.polytope.freedom > 1 else ASCENTS_ON_A_LINE  # where the best look lie side by side
        starts = designs[order[: min(ascents, known.sum())]]
        if not isinstance(exact, Concave):  # which has one peak, found from anywhere
            found = mirror_ascent(exact, starts, polytope=space.polytope, iterations=ITERATIONS)
            if found.value > value:
                best, value = found.weights, found.value
    except AllpayError:  # equilibria at the corners of the space only, with none beside them to ascend
        pass
    best, value = peak(exact, best, space.polytope)
    best, value = with_fewest(exact, best, value, space.polytope)
    flat = value - float(np.nanmin(values)) <= 1e-6 * abs(value)
    return exact_best(space, best, value, flat, float(known.mean()))


def peak(value_and_gradient: ValueAndGradient, start: Array, polytope: Polytope) -> tuple[Array, float]:
    """The highest design next to one, and its value: by Newton's method where the Hessian is known, else by `ascent.polish`."""
    if not isinstance(value_and_gradient, Concave):
        return polish(value_and_gradient, start, polytope=polytope)
    where = thinned(polytope, start, MOST_CORNERS)
    coordinates = where.coordinates(start)
    found, ended = highest(value_and_gradient, where.corners, coordinates)
    candidates = np.stack([start, where.weights(found), where.weights(crisp(found))])
    values = value_and_gradient(candidates)[0]
    values = np.where(np.isfinite(values), values, -np.inf)
    # of the same value to rounding, that which carries least that is nothing
    best = 2 if values[2] >= values.max() - ROUNDING * abs(values.max()) else int(np.argmax(values))
    if ended:
        return candidates[best], float(values[best])
    return polish(value_and_gradient, candidates[best], polytope=polytope)


def crisp(coordinates: Array) -> Array:
    """Coordinates without those that are next to nothing, which a search from inside leaves."""
    kept = np.where(coordinates > NEGLIGIBLE * coordinates.max(axis=-1, keepdims=True), coordinates, 0.0)
    return np.asarray(kept / kept.sum(axis=-1, keepdims=True))


def with_fewest(
    value_and_gradient: ValueAndGradient, best: Array, value: float, polytope: Polytope
) -> tuple[Array, float]:
    """The best design without the ranks that carry so little that nothing is lost without it, and what that brings.

    A search ends a little off an edge of the polytope, which would be read as one more prize.
    """
    corners = polytope.corners  # [blocks, corners, n]
    ranks = np.arange(1, polytope.ranks + 1)
    last = np.where(corners[..., : polytope.ranks] > 0, ranks, 0).max(axis=2)  # that carries weight at each corner
    parts = polytope.coordinates(best)
    for most in range(int(last[parts > 0].max(initial=0)) - 1, 0, -1):
        kept = np.where(last <= most, parts, 0.0)
        sums = kept.sum(axis=1, keepdims=True)
        if not np.all(sums > 0):
            break
        fewer = polytope.weights(kept / sums)
        found = float(value_and_gradient(fewer[None])[0][0])
        if not found >= value - NOTHING * abs(value):
            break
        best, value = fewer, found
    return best, value


def exact_best(space: DesignSpace, point: Array, value: float, flat: bool, fraction: float) -> ExactBest:
    """The best design, of a point of the polytope."""
    design = space.designs(point).tolist()
    names = space.names[space.bidders :]
    return ExactBest(
        tuple(design[: space.bidders]), value, flat, fraction, tuple(zip(names, design[space.bidders :], strict=True))
    )


def objective_at(space: DesignSpace, setting: Setting, objective: str | Objective = "revenue") -> ValueAndGradient:
    """The objective in equilibrium as a function of points `[points, n]` of the polytope of designs, with its gradient.

    That in the weights and the purse is exact. In another number that is chosen beside them it is a difference of two values,
    one `STEP` of the way from its lowest to its highest on either side.

    Raises:
        AllpayError: if theory has no objective for such games.
    """
    inside = tuple(space.designs(space.polytope.corners.mean(axis=1).sum(axis=0)).tolist())
    exact = design_objective(
        space.game(setting, inside), space.rule, objective, space.dimension
    )  # whether there is one at all is said now
    if not space.choose:
        return exact
    n = space.bidders
    reference = inside[:n]  # the objective is a function of any weights, also of those that sum to something else
    purse = next((n + k for k, choice in enumerate(space.choose) if choice.name == "purse"), None)
    built: dict[tuple[float, ...], ValueAndGradient] = {}

    def worth(point: Array) -> tuple[float, Array]:
        """The value, and its gradient in what the ranks win or pay."""
        design = space.designs(point)
        key = tuple(number for k, number in enumerate(design.tolist()) if k >= n and k != purse)
        if key not in built:  # a purse changes nothing but the prizes
            if len(built) >= MOST_BUILT:
                built.pop(next(iter(built)))
            game = space.game(setting, (*reference, *design[n:].tolist()))
            built[key] = design_objective(game, space.rule, objective, space.dimension)
        value, slope = built[key](design[:n] * (1.0 if purse is None else design[purse]))
        return float(value), slope

    def one(point: Array) -> tuple[float, Array]:
        value, slope = worth(point)
        slopes = np.zeros(len(point))
        design = space.designs(point)
        slopes[:n] = slope * (1.0 if purse is None else design[purse])
        for k in range(n, len(point)):
            if k == purse:
                slopes[k] = slope @ design[:n] * (space.choose[k - n].high - space.choose[k - n].low)
                continue
            ends = np.repeat(point[None], 2, axis=0)
            ends[:, k] = max(point[k] - STEP, 0.0), min(point[k] + STEP, 1.0)
            (low, _), (high, _) = worth(ends[0]), worth(ends[1])
            slopes[k] = (high - low) / (ends[1, k] - ends[0, k])
        return value, slopes

    def value_and_gradient(points: Array) -> tuple[Array, Array]:
        found = [one(point) for point in np.asarray(points, float)]
        return np.array([value for value, _ in found]), np.array([slope for _, slope in found])

    return value_and_gradient


@dataclass(frozen=True)
class Exact(Brief, Framed):
    """The best design by theory.

    Attributes:
        space, setting, objective: what was asked.
        within: the part of the objective that may be lost.
        weights: `[bidders]` the best design.
        value: the objective there.
        flat: whether every design is worth the same.
        fraction: the share of the designs looked at that have an equilibrium in closed form.
        low, high: `[bidders]` from where to where each weight goes among the designs that lose less than `within`.
        decimals: to how many the weights of the best are determined.
        step: of weights that can be announced, as a part of 1; None if any can.
        announced: the weights of the best design in steps that can be announced, and what it brings; None if not asked for.
        chosen: what is chosen beside the weights: name, best number, and from where to where it goes among those designs.
        seconds: how long it took.
    """

    space: DesignSpace
    setting: Setting
    objective: str
    within: float
    weights: tuple[float, ...]
    value: float
    flat: bool
    fraction: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    decimals: int
    seconds: float = field(default=0.0, compare=False)
    chosen: tuple[tuple[str, float, float, float], ...] = ()
    step: float | None = None
    announced: tuple[tuple[float, ...], float] | None = None

    def values(self) -> dict[str, Any]:
        """For JSON: the answer, and the whole question."""
        carrying = max(int(np.max(np.flatnonzero(self.high), initial=0)) + 1, 1)
        return {
            "rule": self.space.rule,
            "method": "theory",
            "objective": self.objective,
            "best": {
                "weights": self.weights,
                "value": self.value,
                "decimals": self.decimals,
                "chosen": {name: number for name, number, _, _ in self.chosen},
            },
            "flat": self.flat,
            "fraction": self.fraction,
            "step": self.step,
            "announced": self.announced and {"weights": self.announced[0], "value": self.announced[1]},
            "within": {
                "loss": self.within,
                "low": self.low[:carrying],
                "high": self.high[:carrying],
                "chosen": {name: [low, high] for name, _, low, high in self.chosen},
            },
            **question(self, within=self.within),
        }


class Answer(Protocol):
    """What answers by theory have in common."""

    @property
    def space(self) -> DesignSpace: ...

    @property
    def setting(self) -> Setting: ...

    @property
    def objective(self) -> str: ...

    @property
    def seconds(self) -> float: ...


def question(found: Answer, **more: Any) -> dict[str, Any]:
    """For JSON: the whole question that an answer by theory is to, with what made it and how long that took."""
    return {
        "question": {
            "space": written(found.space, "the space"),
            "setting": written(found.setting, "the setting"),
            "objective": found.objective,
            **more,
        },
        "versions": versions(),
        "seconds": found.seconds,
    }


def exact_design(
    space: DesignSpace,
    setting: Setting | None = None,
    objective: str = "revenue",
    within: float = WITHIN,
    step: float | None = None,
) -> Exact | None:
    """The best design by theory, and the designs that lose less than a part of what it brings.

    Args:
        space: the designs.
        setting: who bids for what; private values uniform on [0, 1], if not given.
        objective: what the design is best for.
        within: the part of the objective that may be lost.
        step: of weights that can be announced, as a part of 1; the best such design is sought too.

    Returns:
        None where no design that was looked at has an equilibrium in closed form.

    Raises:
        AllpayError: if theory has no objective for such games, or `within` is not between 0 and 1.

    >>> found = exact_design(DesignSpace("prizes"), Setting(), within=0.01)
    >>> found.weights, round(found.low[0], 3)
    ((1.0, 0.0, 0.0), 0.99)
    """
    start = time.perf_counter()
    setting, within = setting or Setting(), real("within", within)
    if not 0 < within < 1:
        raise AllpayError(f"within must be above 0 and below 1, a part of the objective: got {exactly(within)}")
    value_at = objective_at(space, setting, objective)
    corners, uniform = looked_at(space.polytope, count=LOOKED)
    line = space.polytope.freedom == 1
    seen = uniform[::5] if line else np.concatenate([corners, uniform])
    looked = np.concatenate([corners, uniform])
    best = _best(space, value_at, looked, value_at(looked)[0])
    if best is None:
        return None
    towards = few_corners(space.polytope)
    towards = every_corner(space.polytope, len(seen)) if towards is None else towards
    towards = seen[:2] if towards is None else towards
    point = space.points(np.array(best.design))
    coordinates = space.polytope.coordinates(point)
    parts = coordinates[0] if coordinates.shape == (1, len(towards)) else np.empty(0)
    near = _Near(value_at, point, best.value, seen, towards, parts)
    told = [*range(min(space.dimension, RANGED)), *range(space.bidders, len(point))]
    low, high = near.ranges(within, [] if line else told)  # a line has two ends, which are met
    again = near.best
    if not line:
        again, _ = peak(value_at, (1 - ASIDE) * again + ASIDE * towards.mean(axis=0), space.polytope)
    announced = None
    if step is not None:
        whole = in_steps(lambda points: value_at(points)[0], space, point, step)
        announced = (tuple(whole[: space.bidders].tolist()), float(value_at(whole[None])[0][0]))
    n, ends = space.bidders, (space.designs(low).tolist(), space.designs(high).tolist())
    return Exact(
        *(space, setting, objective, within, best.weights, best.value, best.flat, best.fraction),
        low=tuple(low[:n].tolist()),
        high=tuple(high[:n].tolist()),
        decimals=near.digits(again),
        chosen=tuple((name, number, *(end[n + k] for end in ends)) for k, (name, number) in enumerate(best.chosen)),
        step=step,
        announced=announced,
        seconds=time.perf_counter() - start,
    )


@dataclass(frozen=True, eq=False)
class _Near:
    """The designs near the best.

    Attributes:
        value_at: the objective `[designs]` and its gradient.
        best, value: the best design `[n]` and what it brings.
        seen: `[designs, n]` designs looked at.
        ends: `[corners, n]` towards which one may go.
        parts: `[corners]` how much of each is in the best; none where that is not known.
    """

    value_at: ValueAndGradient
    best: Array
    value: float
    seen: Array
    ends: Array
    parts: Array

    def ranges(self, within: float, columns: Sequence[int]) -> tuple[Array, Array]:
        """From where to where each number `[n]` goes among designs that lose at most this part, sought for some columns."""
        level = self.value - within * abs(self.value)
        values = self.value_at(self.seen)[0]
        inside = np.concatenate([self.best[None], self.seen[values >= level], self._edge(within * abs(self.value))])
        low, high = inside.min(axis=0), inside.max(axis=0)
        for k in columns:
            for sign in (1.0, -1.0):
                met = self._furthest(k, sign, level, inside[int(np.argmin(sign * inside[:, k]))])
                if met is not None:
                    low, high = np.minimum(low, met), np.maximum(high, met)
        return low, high

    def digits(self, again: Array) -> int:
        """To how many decimals the weights are determined: those in which a second search, which came to `again`, agrees, and
        that another design would not have without losing more than `EXACT`."""
        edge = self._edge(EXACT * max(abs(self.value), 1e-300))
        off = max(float(np.abs(edge - self.best).max()), float(np.abs(again - self.best).max()))
        return int(np.clip(np.floor(-np.log10(max(2 * off, 1e-12))), 1, MOST_DIGITS))

    def _edge(self, loss: float) -> Array:
        """`[directions, n]` how far one can go from the best at this loss: towards each end, and by a move of weight from the
        part of one end in it to the next end."""
        steps = [end - self.best for end in self.ends]
        parts = np.maximum(self.parts, 0.0)
        for k in range(len(parts) - 1 if len(parts) > 2 else 0):
            move = self.ends[k + 1] - self.ends[k]
            steps += [part * way for part, way in ((parts[k], move), (parts[k + 1], -move)) if part > 0]
        directions = np.array([step for step in steps if np.any(step)] or [0 * self.best])
        low, high = np.full(len(directions), LEAST_STEP), np.zeros(len(directions))  # logarithms to the base of 10
        enough = self.value - loss
        far = self._value(self.best + directions) >= enough
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            inside = self._value(self.best + 10.0 ** middle[:, None] * directions) >= enough
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        return np.asarray(self.best + np.where(far, 1.0, 10.0**low)[:, None] * directions)

    def _value(self, designs: Array) -> Array:
        values = self.value_at(np.maximum(designs, 0.0))[0]
        return np.where(np.isfinite(values), values, -np.inf)

    def _furthest(self, rank: int, sign: float, level: float, start: Array) -> Array | None:
        """The design that has least, or most, of one weight among those at least this good; by quadratic programming, where
        the Hessian is not known."""
        if isinstance(self.value_at, Concave):
            corners = np.concatenate([self.ends, self.best[None]])
            most = furthest(self.value_at, corners, np.eye(len(corners))[-1], -sign * corners[:, rank], level)
            return None if most is None else most @ corners
        from scipy.optimize import minimize

        few = np.unique(np.linspace(0, len(self.ends) - 1, MOST_ENDS).astype(int))
        corners = np.concatenate([self.ends[few], start[None]])
        scale = max(abs(self.value), 1e-300)

        def enough(lam: Array) -> float:
            value = float(self._value((lam @ corners)[None])[0])
            return (value - level) / scale if math.isfinite(value) else -1.0

        def slope(lam: Array) -> Array:
            gradient = self.value_at(np.maximum(lam @ corners, 0.0)[None])[1][0]
            return np.asarray(np.nan_to_num(corners @ gradient) / scale)

        first = np.eye(len(corners))[-1]
        found = minimize(
            lambda lam: sign * float(lam @ corners[:, rank]),
            first,
            jac=lambda lam: sign * corners[:, rank],
            method="SLSQP",
            bounds=[(0.0, 1.0)] * len(corners),
            constraints=[
                {"type": "eq", "fun": lambda lam: lam.sum() - 1, "jac": np.ones_like},
                {"type": "ineq", "fun": enough, "jac": slope},
            ],
            options={"ftol": 1e-9, "maxiter": 60},
        )
        lam = np.maximum(found.x, 0.0)
        met = (lam / lam.sum()) @ corners
        return met if enough(lam / lam.sum()) >= -1e-7 else None
