"""What bids cost at every quantile, in each setting: the solutions of the equilibrium conditions, whatever they are good for.

Whether they are an equilibrium is asked in `symmetric`, whose notation this follows.
"""

from collections.abc import Callable

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.values import Common, Discrete, Distribution
from allpay.theory.quantiles import Panels, collocate, cumulative, mean_under_power, means_below, values_at
from allpay.theory.ranks import TINY, Odds, Ranks

# Values ---------------------------------------------------------------------------------------------------------------


def distribution_of(game: Game) -> Distribution:
    assert not isinstance(game.values, Common)
    return game.values.distribution


def common_value(game: Game) -> float | None:
    """The value that all bidders share, if they do."""
    if isinstance(game.values, Common):
        return game.values.value
    given = game.values.distribution
    if isinstance(given, Discrete):
        return given.points[0] if given.points[0] == given.points[-1] else None
    return None


# Costs of bids: [panels, nodes], and at quantiles 0 and 1 -------------------------------------------------------------

STAKES = 600.0
"""The most that ρ times a cost may be; the exponential function of more overflows, or comes near it."""

Cost = tuple[Array, float, float]


def costs(game: Game, ranks: Ranks, panels: Panels) -> Cost | str:
    """What solves the equilibrium condition of the game, or why nothing does."""
    value = common_value(game)
    return _private_cost(game, ranks, panels) if value is None else _common_cost(value, game, ranks, panels)


def _common_cost(value: float, game: Game, ranks: Ranks, panels: Panels) -> Cost:
    cost = value * np.exp(panels.odds.log_gain - panels.odds.log_paid)
    if game.risk_aversion > 0:
        chance = panels.odds.relative / panels.odds.relative.sum(-1, keepdims=True)
        cost = indifferent(chance, value * ranks.gains, ranks.paid, game.risk_aversion, cost)
    return cost, first_cost(value, ranks), float(value * ranks.gains[0] / ranks.paid[0])


def first_cost(lowest: float, ranks: Ranks) -> float:
    """What the bid at quantile 0 costs, where the value is `lowest`: the lowest rank that matters is all that it can win."""
    return 0.0 if ranks.top == 0 or ranks.paid[-1] > 0 else float(lowest * ranks.gains[-2] / ranks.paid[-2])


def indifferent(chance: Array, gains: Array, paid: Array, rho: float, start: Array) -> Array:
    """The cost c at which Σ_k P_k e^{−ρ(g_k − p_k c)} = 1: the lottery over ranks is worth as much as bidding 0.

    `start` is the risk-neutral cost, which is never lower (Jensen); the logarithm of the sum is convex in c, so that
    Newton's steps fall from there to the root without passing it. With equal payments the first step is exact.

    Args:
        chance: `[..., ranks]`, P_k, summing to 1 except for ranks of gain and payment 0.
    """
    cost = start
    for _ in range(100):
        power = rho * (paid * cost[..., None] - gains)
        peak = np.maximum(power.max(-1), 0.0)
        tilted = chance * np.exp(power - peak[..., None])
        total = np.maximum(tilted.sum(-1), TINY)
        # the logarithm of the sum, to all digits also where the sum is near 1
        excess = np.maximum(np.sum(chance * np.expm1(np.minimum(power, 300.0)), -1), TINY - 1)
        log = np.where(peak < 300.0, np.log1p(excess), peak + np.log(total))
        step = log / np.maximum(rho * (tilted @ paid) / total, TINY)
        before, cost = cost, np.clip(cost - step, 0.0, start)
        if np.all(np.abs(cost - before) <= 1e-9 * cost):  # the next step would be its square
            break
    return cost


def _private_cost(game: Game, ranks: Ranks, panels: Panels) -> Cost | str:
    given = distribution_of(game)
    values = values_at(given, panels.q)
    first = first_cost(float(values_at(given, 0.0)), ranks)
    if game.risk_aversion == 0:
        # c S = ∫₀^q v dΠ, with that integral as (Π − a_n) times a mean of the values below q
        below, mean = means_below(given, values, ranks, panels)
        cost = below * np.exp(panels.odds.log_gain - panels.odds.log_paid)
        return cost, first, float(mean * ranks.gains[0] / ranks.paid[0])
    if np.all(ranks.paid == ranks.paid[0]):
        found: Cost = _averse_all_pay_cost(values, game.risk_aversion, ranks, panels)
    else:
        slope = averse_slope(values, panels.q, game.risk_aversion, ranks, panels.odds)
        solved = averse_cost(given, panels.edges, panels.q, game.risk_aversion, ranks, slope)
        if isinstance(solved, str):
            return solved
        found = solved[0], first, solved[1]
    if game.risk_aversion * found[2] * float(np.max(ranks.paid)) > STAKES:
        return "the utility of what is at stake overflows: give less risk aversion, or values in a larger unit"
    return found


def _averse_all_pay_cost(values: Array, rho: float, ranks: Ranks, panels: Panels) -> Cost:
    """All ranks pay the fraction p: ρ p c′ = −∂ ln M(q, v)/∂q at v = v(q), with M(q, v) = Σ_k P_k(q) e^{−ρ v a_k}.

    Nothing is left to check: a higher value gains more from a higher rank (the ranks that a bidder expects, tilted by
    e^{−ρ v a_k}, rise with q in the likelihood-ratio order), so that the first-order condition suffices.
    """
    relative, top = panels.odds.relative, ranks.top
    loss = np.exp(-rho * values[..., None] * ranks.gains)
    drop = -loss[..., 1:] * np.expm1(-rho * values[..., None] * (ranks.gains[:-1] - ranks.gains[1:]))
    places = ranks.n - np.arange(1, top + 1)
    slope = np.sum(relative[..., :top] * places * drop, -1) / (panels.q * np.sum(relative * loss, -1))
    cost, last = cumulative(panels.edges, slope / (rho * ranks.paid[0]))
    return np.maximum(cost, 0.0), 0.0, last


Slope = Callable[[int, Array], tuple[Array, Array]]
"""c′ and its derivative in c at the nodes of a panel, given c there; see `collocate`."""


def averse_cost(
    given: Distribution, edges: Array, q: Array, rho: float, ranks: Ranks, slope: Slope
) -> tuple[Array, float] | str:
    """Σ_k P_k′(q) u_k = c′ Σ_k P_k p_k u_k′: a differential equation, singular at q = 0 if the last rank does not pay.

    In the first panel its solution for values that hardly change is taken: there it is as if the value were common, and that
    of the mean below q, weighted by dΠ ∝ d(q^{n−m}), with m the lowest rank that wins anything. What is left out is of
    second order in these values, and an error at q₀ = 10⁻¹² is felt at q as (q₀/q)^{n−m} of it, or less. The mean is that of
    e^{ρ(a_m − a_n)v} where c follows from e^{ρ p_m c} = that mean, else of the utility e^{−ρ(a_m − a_n)v}.

    Returns:
        the costs `[panels, nodes]` and that at 1, or what is wrong.
    """
    start = np.append(q[0], edges[1])
    odds, lowest = ranks.odds(start), int(np.max(np.nonzero(ranks.gains)[0]))
    bend = rho * ranks.gains[lowest] * (1 if ranks.paid[-1] == 0 and lowest == ranks.top - 1 else -1)
    value = mean_under_power(given, start, ranks.n - 1 - lowest, float(bend))
    chance = odds.relative / odds.relative.sum(-1, keepdims=True)
    neutral = value * np.exp(odds.log_gain - odds.log_paid)
    near = indifferent(chance, value[:, None] * ranks.gains, ranks.paid, rho, neutral)
    found = collocate(edges[1:], float(near[-1]), lambda i, c: slope(i + 1, c))
    if isinstance(found, str):
        return f"the equilibrium condition {found}"
    return np.maximum(np.concatenate([near[None, :-1], found[0]]), 0.0), found[1]


def averse_slope(values: Array, q: Array, rho: float, ranks: Ranks, odds: Odds) -> Slope:
    """What c′ is by that equation, and its derivative in c, for `collocate`; `values`, `q` and odds are at the nodes."""
    paid, relative = ranks.paid, odds.relative
    worth = values[..., None] * ranks.gains
    rise = relative[..., : ranks.top] * (ranks.n - np.arange(1, ranks.top + 1)) / q[..., None]

    def slope(i: int, c: Array) -> tuple[Array, Array]:
        money = worth[i] - c[:, None] * paid
        marginal = np.exp(-rho * money)
        utility, pays = -np.expm1(-rho * money) / rho, marginal * paid
        above = np.sum(rise[i] * (utility[:, :-1] - utility[:, 1:]), -1)
        above_slope = np.sum(rise[i] * (pays[:, 1:] - pays[:, :-1]), -1)
        below = np.sum(relative[i] * pays, -1)
        below_slope = rho * np.sum(relative[i] * pays * paid, -1)
        return above / below, (above_slope - above / below * below_slope) / below

    return slope
