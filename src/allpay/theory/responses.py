"""What bids cost as a function of a design's weights, with derivatives, at nodes that do not depend on the design.

For `designs`, and in the notation of `symmetric`; what does not depend on the weights is computed once.
"""

import math
from collections.abc import Callable

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.values import Distribution
from allpay.theory.costs import STAKES, averse_cost, averse_slope, distribution_of, first_cost, indifferent
from allpay.theory.quantiles import (
    END,
    collocate_back,
    cumulative,
    cumulative_back,
    mean_under_power,
    rest_in_panels,
    values_at,
)
from allpay.theory.ranks import Ranks, log_binomials

PullBack = Callable[[Array], tuple[Array, Array]]
"""From dJ/dc at the nodes `[nodes]` to dJ/da and dJ/dp, each `[n]`, for a number J that depends on all the costs."""

Respond = Callable[[Array, Array, Array], tuple[Array, PullBack]]
"""From prizes `[n]`, payments `[n]` and S at the nodes to the costs of the bids there, and their derivative."""


def responses(
    game: Game, value: float | None, every_bid_is_paid: bool, edges: Array, q: Array, chance: Array
) -> Respond:
    """What bids cost, in the setting of the game."""
    rho = game.risk_aversion
    if value is not None:
        return _common_response(value, rho, chance)
    given = distribution_of(game)
    values = values_at(given, q)
    if rho > 0 and not every_bid_is_paid:
        return _averse_response_by_rank(given, values, rho, edges, q, chance.shape[1])
    if rho > 0:
        return _averse_response(values.ravel(), rho, edges, q.ravel(), chance)
    return _private_response(given, values, edges, q, chance)


def _common_response(value: float, rho: float, chance: Array) -> Respond:
    """By the implicit function theorem, with P_k tilted by e^{−ρ(v(a_k − a_n) − p_k c)} if bidders are risk-averse."""

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, PullBack]:
        gains = value * (prizes - prizes[-1])
        cost = ratio(chance @ gains, paid)
        tilted = chance
        if rho > 0:
            cost = indifferent(chance, gains, payments, rho, cost)
            tilted = chance * np.exp(np.minimum(rho * (cost[:, None] * payments - gains), 700.0))

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            push = ratio(by_cost, tilted @ payments)
            by_prizes = value * (push @ tilted)
            by_prizes[-1] = -by_prizes[:-1].sum()
            return by_prizes, -(push * cost) @ tilted

        return cost, pull_back

    return respond


def _private_response(given: Distribution, values: Array, edges: Array, q: Array, chance: Array) -> Respond:
    """c S = Σ_k (a_k − a_{k+1}) L_k: linear in the prizes."""
    parts = _private_falls(given, values, edges, q, chance)

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, PullBack]:
        cost = ratio(parts @ (prizes[:-1] - prizes[1:]), paid)

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            push = ratio(by_cost, paid)
            by_falls = push @ parts
            return np.append(by_falls, 0.0) - np.append(0.0, by_falls), -(push * cost) @ chance

        return cost, pull_back

    return respond


def costs_by_falls(game: Game, value: float | None, edges: Array, q: Array, chance: Array) -> Array:
    """`[nodes, n − 1]` what bids cost by how much each prize is above the next, of risk-neutral bidders who all pay."""
    if value is not None:
        return np.asarray(value * np.cumsum(chance, axis=1)[:, :-1])
    given = distribution_of(game)
    return _private_falls(given, values_at(given, q), edges, q, chance)


def _private_falls(given: Distribution, values: Array, edges: Array, q: Array, chance: Array) -> Array:
    """`[nodes, n − 1]` L_k(q) = ∫₀^q v(t) (n−k) P_k(t)/t dt."""
    n = chance.shape[1]
    places = n - np.arange(1, n)
    density = (values / q)[..., None] * places * chance[:, :-1].reshape(*q.shape, n - 1)
    parts = np.stack([cumulative(edges, density[..., k])[0] for k in range(n - 1)], -1)  # [panels, nodes, n − 1]
    means = np.stack([mean_under_power(given, q[0], m) for m in places], -1)
    parts[0] = means * np.cumsum(chance[: q.shape[1], :-1], -1)  # ∫₀^q (n−k) P_k(t)/t dt = Σ_{j≤k} P_j(q)
    return np.asarray(np.maximum(parts, 0.0).reshape(-1, n - 1))


def _averse_response(values: Array, rho: float, edges: Array, q: Array, chance: Array) -> Respond:
    """Every bidder pays its bid: c = ∫₀^q f with f = Σ_k (n−k) P_k (x_{k+1} − x_k) / (ρ t M), x_k = e^{−ρ v a_k}."""
    n = chance.shape[1]
    rises = chance * (n - np.arange(1, n + 1))  # (n−k) P_k
    shape = (len(edges) - 1, -1)

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, PullBack]:
        loss = np.exp(-rho * values[:, None] * (prizes - prizes[-1]))
        mean = np.sum(chance * loss, -1)
        climbs = -loss[:, 1:] * np.expm1(-rho * values[:, None] * (prizes[:-1] - prizes[1:]))  # x_{k+1} − x_k
        slope = np.sum(rises[:, :-1] * climbs, -1) / (rho * q * mean)
        cost = cumulative(edges, slope.reshape(shape))[0].ravel()

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            by_slope = cumulative_back(edges, by_cost.reshape(shape)).ravel()
            before = np.concatenate([np.zeros((len(q), 1)), rises[:, :-1]], -1)  # (n−k+1) P_{k−1}
            by_loss = (before - rises) / (rho * q)[:, None] - slope[:, None] * chance
            by_prizes = (by_slope / mean) @ (by_loss * loss * (-rho * values[:, None]))
            return by_prizes, np.zeros(n)

        return cost, pull_back

    return respond


def _averse_response_by_rank(given: Distribution, values: Array, rho: float, edges: Array, q: Array, n: int) -> Respond:
    """The winner takes all, and payments differ: a differential equation, linearised at its solution.

    c′ = f = Σ_k P_k′ u_k / Σ_k P_k p_k m_k with m_k = u_k′, all relative to the ranks that matter, as in `Ranks.odds`.
    """
    places = np.arange(n - 1, -1, -1)  # n − k
    lowest, rest = float(values_at(given, 0.0)), rest_in_panels(edges)
    log = log_binomials(n) + places * np.log(q)[..., None] + places[::-1] * np.log(rest)[..., None]

    def respond(prizes: Array, payments: Array, paid: Array) -> tuple[Array, PullBack]:
        ranks = Ranks.of(prizes, payments)
        odds, first = ranks.odds(q, rest), first_cost(lowest, ranks)
        slope = averse_slope(values, q, rho, ranks, odds)
        found = averse_cost(given, edges, q, rho, ranks, slope)
        if isinstance(found, str):
            return np.full(q.size, np.nan), lambda by_cost: (np.zeros(n), np.zeros(n))
        cost = found[0]

        def pull_back(by_cost: Array) -> tuple[Array, Array]:
            f, in_c = (np.stack(x) for x in zip(*(slope(i, c) for i, c in enumerate(cost)), strict=True))
            by_slope = np.zeros_like(f)  # the first panel, and what it starts the others with, carry no weight
            by_slope[1:], _ = collocate_back(edges[1:], in_c[1:], by_cost.reshape(q.shape)[1:])
            relative = np.exp(np.minimum(log - odds.log_scale[..., None], STAKES))
            marginal = np.exp(-rho * (values[..., None] * (prizes - prizes[-1]) - cost[..., None] * payments))
            below = np.sum(relative * payments * marginal, -1)
            rises = relative * (places / q[..., None])
            rises[..., 1:] -= rises[..., :-1].copy()  # P_k′ over its scale
            by_pay = -cost[..., None] * rises - (f[..., None] * relative) * (1 + rho * payments * cost[..., None])
            by_node = (by_slope / below)[..., None] * by_pay * marginal
            by_payments = by_node.sum((0, 1))
            if first > 0:  # the winner alone pays
                # If the last rank pays p_n, low bids begin at 0, and rise within a short way of it to where P_1 u_1 = p_n c. So
                # they are lower beyond by p_n·first/(P_1 p_1 m_1), here told at a quantile where that is small.
                i = int(np.searchsorted(edges, END * (1 - 1e-9)))
                _, by_start = collocate_back(edges[i:], in_c[i:], by_cost.reshape(q.shape)[i:])
                effect = payments[0] * math.exp(-rho * (lowest * (prizes[0] - prizes[-1]) - payments[0] * first))
                by_payments[-1] = by_node[i:, :, -1].sum() - float(
                    ratio(by_start * first, edges[i] ** (n - 1) * effect)
                )
            return np.zeros(n), by_payments

        return cost.ravel(), pull_back

    return respond


def ratio(x: Array | float, y: Array | float) -> Array:
    """x/y, and 0 where y is next to nothing: such nodes carry no weight in revenue or the highest bid."""
    return np.where(y > 1e-280, x / np.maximum(y, 1e-280), 0.0)
