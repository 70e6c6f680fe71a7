"""Sums of expected bids and payoffs at equilibrium as a function of a design's weights, with its exact gradient.

The equilibria are those of `symmetric`, whose notation this follows; what does not depend on the weights is computed once.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from allpay.concave import Concave, by_weights, checked
from allpay.contest.game import Array, Game, check_game
from allpay.contest.mechanism import RULES
from allpay.contest.preferences import PowerCost
from allpay.errors import AllpayError, one_of
from allpay.objectives import Linear, Objective
from allpay.objectives import objective as parsed
from allpay.theory.contests import bids_in_prizes, in_short
from allpay.theory.costs import STAKES, common_value, distribution_of, first_cost
from allpay.theory.overnodes import inverse_of, over_nodes
from allpay.theory.pooling import FALLS, Pool, Threshold, not_best_responses, pool_at_cap
from allpay.theory.quantiles import (
    NODES,
    Curve,
    breaks_of,
    edges_for,
    in_panels,
    interpolation,
    interpolation_slope,
    panels_for,
    rest_in_panels,
    values_at,
    values_below,
)
from allpay.theory.ranks import Ranks, mean_rank_probabilities, rank_probabilities
from allpay.theory.responses import costs_by_falls, responses
from allpay.theory.symmetric import indistinct

OBJECTIVES = ("revenue", "highest-bid", "payoff")
"""What can be asked of a design, among others: the sum of payments, the expected highest bid, the utility of one bidder."""

OTHERS: Mapping[str, Linear] = {"payoff": Linear(payoff=1.0)}
"""What theory alone knows, beside `allpay.objectives`."""

_ValueAndGradient = Callable[[ArrayLike], tuple[Array, Array]]


def design_objective(
    game: Game, rule: str, objective: str | Objective = "revenue", ranks: int | None = None
) -> _ValueAndGradient:
    """An objective at equilibrium, with its gradient, as a function of a design's weights.

    What does not depend on the weights is computed here, once. The function returned takes weights `[..., n]` and gives
    values `[...]` and gradients `[..., n]`, both NaN where `equilibrium` finds none. The weights are taken as n free
    numbers: they need not sum to 1, and the gradient is that of n separate changes. On the boundary of the designs it
    can be very large: with convex costs the first bit of a low prize moves the lowest bids without bound. Where a cap
    binds, the threshold above which bids pool moves with the weights, by the implicit function theorem.

    Where bidders may be absent, or there are a reserve, a fee or a cost of one's own, it is a sum of ranked bids under the rule
    `prizes` (`contests.bids_in_prizes`), with NaN also where prizes rise.

    Args:
        game: who bids; of its mechanism the prizes or payments that the weights set do not count.
        rule: `prizes` or `payments`, what the weights set; as in `mechanism`.
        objective: `revenue`, `highest-bid`, `top-3`, `ranked-bids(…)`, `welfare`, `profit(…)` or a sum of these, see
            `allpay.objectives`; or `payoff`, the expected utility of a bidder before it knows its value.
        ranks: if no more than so many weights are ever above 0, derivatives in the others may be left at 0, which is quicker
            where many bidders may turn up.

    Raises:
        AllpayError: if rule or objective are unknown, the objective has no gradient here, or values have atoms but do not say
            where. The function returned raises it unless it is given n finite numbers ≥ 0.

    >>> from allpay.contest.game import game
    >>> value, gradient = design_objective(game("prizes", 1.0, 3), "prizes")([0.8, 0.2, 0])
    >>> round(float(value), 9), gradient.round(9)
    (0.4, array([ 0.5,  0. , -0.5]))
    """
    one_of("rule", rule, RULES)
    check_game(game)
    if not game.simple:
        short = in_short(game)
        return _with_entry(game, rule, objective, ranks) if short is None else design_objective(short, rule, objective)
    goal = _linear(game, objective)
    if game.own_utility:
        raise AllpayError(
            "the exact objective is for risk-neutral and CARA bidders: got a game with a utility of its own"
        )
    n, free_prizes = game.bidders, rule == "prizes"
    value = common_value(game)
    given = distribution_of(game) if value is None else None
    fault = None if given is None else indistinct(given, n)
    if fault:
        raise AllpayError(fault)
    alone = np.eye(n)[0]
    # a root of c, or a ratio of two integrals as small as q^{n−1}, needs them resolved at their own scale, not that of 1
    if game.cost_power <= 1 and (free_prizes or value is not None):
        edges = edges_for(n, given, game.risk_aversion)
    else:
        sharpest = Ranks.of(alone, np.ones(n) if free_prizes else alone)
        # how fast the highest bids change depends on the weights, so that the shortest panels are taken
        fastest = math.inf if game.risk_aversion > 0 and not free_prizes else game.risk_aversion
        edges = panels_for(sharpest, given, fastest).edges
    nodes = _Nodes.at(game, *in_panels(edges))
    if free_prizes and not game.risk_aversion and game.max_bid is None and game.overbidding:
        found = _over_nodes(game, goal, edges, nodes)
        if found is not None:
            return found
    respond = responses(game, value, free_prizes, edges, nodes.q.reshape(-1, NODES), nodes.chance)

    def one(w: Array) -> tuple[float, Array]:
        prizes, payments = (w, np.ones(n)) if free_prizes else (alone, w)
        cost, pull_back = respond(prizes, payments, nodes.chance @ payments)
        design = _Design(game, goal, edges, prizes, payments)
        found = _assess(design, nodes, cost)
        if found is None:
            return np.nan, np.full(n, np.nan)
        by_prizes, by_payments = pull_back(found.by_cost)
        handed = goal.prizes  # every prize is handed out, for all are there
        gradient = found.by_prizes + by_prizes + handed if free_prizes else found.by_payments + by_payments
        return found.value + handed * float(prizes.sum()), gradient

    return _of_rows(one, n)


def _over_nodes(game: Game, goal: Linear, edges: Array, nodes: "_Nodes") -> Concave | None:
    """The objective of prizes for risk-neutral bidders without a limit on bids, who all pay; None if it is not concave."""
    value, n = common_value(game), game.bidders
    by_falls = costs_by_falls(game, value, edges, nodes.q.reshape(-1, NODES), nodes.chance)
    by_falls = np.append(by_falls, np.zeros((len(by_falls), 1)), axis=1)
    counted = np.full(n, goal.revenue)
    counted[: len(goal.bids)] += goal.bids
    linear = np.full(n, goal.prizes)  # every prize is handed out, for all are there
    if value is None:
        spent = by_weights(nodes.weight @ by_falls)
        linear += goal.payoff * ((nodes.weight * nodes.values) @ nodes.chance - spent)
    else:
        linear[-1] += goal.payoff * value
    inverse = inverse_of(PowerCost(game.cost_power), 1.0)
    return over_nodes(by_falls, n * nodes.weight * (nodes.chance @ counted), inverse, linear)


def _linear(game: Game, text: str | Objective) -> Linear:
    """An objective as a sum of which there are gradients.

    Raises:
        AllpayError: if it is unknown, or no such sum.
    """
    if isinstance(text, str) and text in OTHERS:
        return OTHERS[text]
    goal = parsed(text)
    goal.check(game.bidders)
    found = goal.linear(game)
    if found is None:
        raise AllpayError(
            f"theory has no gradient of {goal.text} here: it optimises revenue, highest-bid, top-K, ranked-bids, welfare and "
            "profit of risk-neutral bidders, and sums of these; simulate the designs instead"
        )
    return found


def _with_entry(game: Game, rule: str, objective: str | Objective, ranks: int | None) -> _ValueAndGradient:
    """The objective where bidders may be absent, or there are a reserve, a fee or a cost of one's own: bids by prizes."""
    rules = replace(game.mechanism, payments=(1.0,) * game.bidders)
    goal = _linear(game, objective)
    counted = np.full(game.bidders, goal.revenue)
    counted[: len(goal.bids)] += goal.bids
    found = bids_in_prizes(replace(game, mechanism=rules) if rule == "prizes" else game, counted, ranks)
    if isinstance(found, str):
        raise AllpayError(f"{found}: simulate the designs instead")
    if rule != "prizes" or goal.prizes or goal.payoff:
        parts = [part for part in game.parts if "groups" not in part]
        asked = objective if isinstance(objective, str) and objective in OTHERS else parsed(objective).words
        raise AllpayError(
            f"with {' and '.join(parts) or 'such a cost'} theory has a gradient of revenue and of ranked bids under the rule "
            f"prizes only: got the {asked} under the rule {rule}; simulate the designs instead"
        )
    return found if isinstance(found, Concave) else _of_rows(found, game.bidders)


def _of_rows(one: Callable[[Array], tuple[float, Array]], n: int) -> _ValueAndGradient:
    """A function of one design as one of weights `[..., n]`."""

    def value_and_gradient(weights: ArrayLike) -> tuple[Array, Array]:
        w = checked(weights, n)
        results = [one(row) for row in w.reshape(-1, n)]
        values = np.array([r[0] for r in results]).reshape(w.shape[:-1])
        return values, np.array([r[1] for r in results]).reshape(w.shape)

    return value_and_gradient


def value_and_gradient(
    game: Game, rule: str, weights: ArrayLike, objective: str | Objective = "revenue"
) -> tuple[Array, Array]:
    """`design_objective(game, rule, objective)(weights)`: to evaluate many designs, call that once instead."""
    return design_objective(game, rule, objective)(weights)


# The objective at given costs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Nodes:
    """Quantiles for integration, weights and values at them, all `[nodes]`, and the chance of each rank `[nodes, n]`."""

    q: Array
    weight: Array
    chance: Array
    values: Array

    @classmethod
    def at(cls, game: Game, q: Array, weight: Array) -> "_Nodes":
        value = common_value(game)
        values = values_at(distribution_of(game), q.ravel()) if value is None else np.full(q.size, value)
        return cls(q.ravel(), weight.ravel(), rank_probabilities(game.bidders, q.ravel()), values)

    def part(self, start: int | None, stop: int | None) -> "_Nodes":
        """Some of them."""
        return _Nodes(*(x[start:stop] for x in vars(self).values()))

    def then(self, others: "_Nodes") -> "_Nodes":
        """These and others."""
        return _Nodes(
            *(np.append(x, y, axis=0) for x, y in zip(vars(self).values(), vars(others).values(), strict=True))
        )


@dataclass(frozen=True)
class _Design:
    """What one evaluation is of."""

    game: Game
    goal: Linear
    edges: Array
    prizes: Array
    payments: Array

    @property
    def counted(self) -> Array:
        """`[bidders]` how much the expected bid of each rank counts."""
        found = self.goal.revenue * self.payments
        found[: len(self.goal.bids)] += self.goal.bids
        return found


@dataclass(frozen=True)
class _Part:
    """A part of the objective: its value, and its derivatives in the cost at each node, in a_k and in p_k."""

    value: float
    by_cost: Array
    by_prizes: Array
    by_payments: Array

    def plus(self, other: "_Part") -> "_Part":
        return _Part(*(x + y for x, y in zip(vars(self).values(), vars(other).values(), strict=True)))


def _assess(design: _Design, nodes: _Nodes, cost: Array) -> _Part | None:
    """The objective if bids cost this at the nodes, or pool at the cap where they would pass it; None if no equilibrium."""
    game, cap, value = design.game, design.game.max_bid, common_value(design.game)
    at_stake = game.risk_aversion * cost[-1] * design.payments.max()
    if design.payments[0] == 0 or not np.all(np.isfinite(cost)) or (value is None and at_stake > STAKES):
        return None
    falls = np.min(np.diff(cost, prepend=0.0)) < -FALLS * np.max(cost)
    if falls or (cap is not None and cost[-1] > cap**game.cost_power * (1 + FALLS)):
        return None if cap is None else _assess_pooled(design, nodes, cost, cap)
    if (not game.overbidding and _overbids(design, nodes, cost)) or _deviates(design, nodes, cost):
        return None
    return _sum(design, nodes, cost).plus(_indifferent(design, len(cost)))


def _assess_pooled(design: _Design, nodes: _Nodes, cost: Array, cap: float) -> _Part | None:
    """The same where bids pool; the panel in which the threshold lies is cut there, and costs to its left interpolated."""
    game, edges, value, n = design.game, design.edges, common_value(design.game), design.game.bidders
    ranks = Ranks.of(design.prizes, design.payments)
    first = first_cost(value if value is not None else float(values_at(distribution_of(game), 0.0)), ranks)
    curve = Curve(edges, cost.reshape(-1, NODES), first, float(cost[-1]), game.cost_power)
    pool = pool_at_cap(game, ranks, curve)
    if pool is None:
        return None
    start = pool.start
    if not game.overbidding:
        least = value if value is not None else float(values_at(distribution_of(game), np.array(start)))
        if cap > least * (1 + 1e-9) or _overbids(design, nodes, cost, start):
            return None
    if _deviates(design, nodes, cost, pool):
        return None
    chance, mean = rank_probabilities(n, start), mean_rank_probabilities(n, start)
    if start == 0:
        everybody = Threshold(start, chance, mean, cost=0.0, value=0.0, steep=0.0)
        top = _top(design, nodes, everybody, cap)
        return _Part(top.value, np.zeros_like(cost), top.by_prizes, top.by_payments)
    panel = int(np.searchsorted(edges, start)) - 1
    left, right = edges[panel : panel + 2]
    here, place = slice(panel * NODES, (panel + 1) * NODES), 2 * (start - left) / (right - left) - 1
    before, after = (_Nodes.at(game, *in_panels(np.array(ends))) for ends in ((left, start), (start, right)))
    inner, at = interpolation(2 * (before.q - left) / (right - left) - 1), interpolation(place)
    lower = _sum(design, nodes.part(None, here.start).then(before), np.append(cost[: here.start], inner @ cost[here]))
    threshold = Threshold(
        start,
        chance,
        mean,
        cost=min(max(float(at @ cost[here]), 0.0), cap**game.cost_power),  # interpolation may miss by a rounding
        value=float(at @ nodes.values[here]),
        steep=float(interpolation_slope(place) @ nodes.values[here] * 2 / (right - left)),
    )
    top = _top(design, after.then(nodes.part(here.stop, None)), threshold, cap)
    by_cost = np.zeros_like(cost)
    by_cost[: here.start], by_cost[here] = lower.by_cost[: here.start], lower.by_cost[here.start :] @ inner
    by_prizes, by_payments = lower.by_prizes + top.by_prizes, lower.by_payments + top.by_payments
    if not pool.jump:  # else the threshold stays where values jump
        moved = threshold.moved(game, design.prizes, design.payments)
        by_cost[here] += top.by_start * moved.by_cost * at
        by_prizes, by_payments = (
            by_prizes + top.by_start * moved.by_prizes,
            by_payments + top.by_start * moved.by_payments,
        )
    found = _Part(lower.value + top.value, by_cost, by_prizes, by_payments)
    return found.plus(_indifferent(design, len(cost)))


def _sum(design: _Design, nodes: _Nodes, cost: Array) -> _Part:
    """The part that these quantiles have in the objective, if they bid at these costs; but for the payoff of a common value."""
    game, n, goal = design.game, design.game.bidders, design.goal
    part = _Part(0.0, np.zeros_like(cost), np.zeros(n), np.zeros(n))
    if goal.payoff and common_value(game) is None:
        money = nodes.values[:, None] * design.prizes - cost[:, None] * design.payments
        marginal = goal.payoff * nodes.weight[:, None] * nodes.chance * np.exp(-game.risk_aversion * money)
        part = _Part(
            goal.payoff * float(np.sum(nodes.weight[:, None] * nodes.chance * game.utility(money))),
            -marginal @ design.payments,
            nodes.values @ marginal,
            -cost @ marginal,
        )
    if not (goal.revenue or goal.bids):
        return part
    bid, weight = _bids(game, cost), n * nodes.weight
    # db/dc = b/(power·c), also at the nodes where c is 0
    at_zero = 1.0 if game.cost_power == 1 else 0.0
    slope = np.where(cost > 0, bid / (game.cost_power * np.where(cost > 0, cost, 1.0)), at_zero)
    counted = weight * (nodes.chance @ design.counted)
    return _Part(
        part.value + float(counted @ bid),
        part.by_cost + counted * slope,
        part.by_prizes,
        part.by_payments + goal.revenue * ((weight * bid) @ nodes.chance),
    )


def _indifferent(design: _Design, nodes: int) -> _Part:
    """The payoff for a common value, where not all pool: what the last rank is worth at bid 0; nothing for private values."""
    game, n, value, counts = design.game, design.game.bidders, common_value(design.game), design.goal.payoff
    if not counts or value is None:
        return _Part(0.0, np.zeros(nodes), np.zeros(n), np.zeros(n))
    money = value * design.prizes[-1]
    by_last = counts * value * math.exp(-game.risk_aversion * money)
    return _Part(counts * float(game.utility(money)), np.zeros(nodes), by_last * np.eye(n)[-1], np.zeros(n))


@dataclass(frozen=True)
class _Top:
    """The part of those who bid the cap, with its derivatives in a_k and p_k, and that of the whole objective in q*."""

    value: float
    by_prizes: Array
    by_payments: Array
    by_start: float


def _top(design: _Design, above: _Nodes, threshold: Threshold, cap: float) -> _Top:
    game, n, none = design.game, design.game.bidders, np.zeros(design.game.bidders)
    start, share = threshold.start, 1 - threshold.start
    less = threshold.cost ** (1.0 / game.cost_power) - cap  # what the one at the threshold bids less below it
    by_payments = design.goal.revenue * n * cap * share * threshold.mean
    found = _Top(
        n * cap * share * float(threshold.mean @ design.counted),
        none,
        by_payments,
        n * float(threshold.chance @ design.counted) * less,
    )
    counts = design.goal.payoff
    if not counts or (common_value(game) is not None and start > 0):
        return found
    cost = cap**game.cost_power
    money = above.values[:, None] * design.prizes - cost * design.payments
    utility, marginal = above.weight @ game.utility(money), above.weight[:, None] * np.exp(-game.risk_aversion * money)
    return _Top(
        found.value + counts * float(threshold.mean @ utility),
        counts * threshold.mean * (above.values @ marginal),
        by_payments - counts * threshold.mean * cost * marginal.sum(0),
        # the one at the threshold does not mind
        found.by_start + counts * float((threshold.mean - threshold.chance) @ utility) / share,
    )


def _deviates(design: _Design, nodes: _Nodes, cost: Array, pool: Pool | None = None) -> bool:
    """Whether some value gains by another bid, in the one setting where the first-order condition does not rule it out."""
    game, payments = design.game, design.payments
    if common_value(game) is not None or game.risk_aversion == 0 or np.all(payments == payments[0]):
        return False
    ranks = Ranks.of(design.prizes, payments)
    rest = rest_in_panels(design.edges).ravel()
    return not_best_responses(game, ranks, nodes.q, rest, cost, nodes.values, pool) is not None


def _overbids(design: _Design, nodes: _Nodes, cost: Array, start: float = 1.0) -> bool:
    """Whether some value's bids below quantile `start` exceed it; each value bids most where the next one begins."""
    game = design.game
    below = nodes.q < start
    if np.any(_bids(game, cost[below]) > nodes.values[below] * (1 + 1e-9)):
        return True
    if common_value(game) is not None:
        return False
    given = distribution_of(game)
    jumps = breaks_of(given)
    jumps = jumps[jumps <= start]
    most = cost.reshape(-1, NODES)[np.searchsorted(design.edges, jumps) - 1] @ interpolation(1.0)
    return bool(np.any(_bids(game, most) > values_below(given, jumps) * (1 + 1e-9)))


def _bids(game: Game, cost: Array) -> Array:
    return np.maximum(cost, 0.0) ** (1.0 / game.cost_power)
