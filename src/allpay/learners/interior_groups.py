"""The interior-point method for games whose bidders differ or in which luck decides: the same path, all groups at once.

What is special here is the matrix: with luck every bid of every rival moves every payoff. The path, and why it is followed, are
described in `interior_point`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allpay.compiled import compiled
from allpay.contest.game import Array
from allpay.contest.payoffs import Payoffs, averages_against, mean_regret
from allpay.contest.ranking import rank_slopes
from allpay.learners.fictitious_play import _fictitious_play
from allpay.learners.linear import factor, substitute
from allpay.outcome import Goal, reached

Allowed = NDArray[np.bool_]

PATIENCE = 120
"""Iterations of the first attempt; each further one gets twice as many."""

BOLD, MEASURED = 0.95, 0.7
"""The part of the way to the border of what is allowed that a step goes; the second, where an attempt begins near its end."""

LEARNED, NEAR = 300, 1e-3
"""Iterations of fictitious play before such an attempt, and the μ with which it begins, as a part of the stake."""

TOO_SHORT, SHORT_STEPS = 1e-4, 5
"""After so many steps in a row that are shorter than this, a run begins again."""


class _Here(NamedTuple):
    """A point of the path: mixtures x, slacks s and payoffs u `[groups, values, bids]`, levels λ `[groups, values]`."""

    mix: Array
    slack: Array
    level: Array
    payoff: Array


def follow(best: Array, payoffs: Payoffs, goal: Goal, trace: Array) -> int:
    """Turn `best` `[groups, values, bids]`, a random profile, into the best one found.

    Args:
        best: the profile.
        payoffs: of the game.
        goal: when to stop.
        trace: `[iterations + 1]`, filled with exploitability along the run.

    Returns:
        The iterations taken.
    """
    may = np.arange(best.shape[2]) < payoffs.allowed[..., None]
    start, found, taken, attempt = best.copy(), np.inf, 0, 0
    while True:
        # every other attempt begins near what fictitious play learns, the rest ever nearer to the uniform mixture
        learned = attempt % 2 == 1
        share = 0.5 / 2**attempt
        uniform = may / may.sum(axis=-1, keepdims=True)
        mix = (1 - share) * uniform + share * (np.roll(start, attempt, axis=-1) * may + 1e-3 * uniform)
        mix /= mix.sum(axis=-1, keepdims=True)
        here = _near_learned(mix, payoffs, goal.stake) if learned else _begin(mix, payoffs, may)
        give_up, short = taken + PATIENCE * 2 ** min(attempt, 4), 0
        while taken < give_up and short < SHORT_STEPS:
            averages = _averages(payoffs, here.mix)
            trace[taken] = mean_regret(payoffs, averages, here.mix)
            if trace[taken] < found:
                found = trace[taken]
                best[:] = here.mix
            if reached(goal, trace[taken], payoffs, averages, here.mix) or taken == len(trace) - 1:
                return taken
            taken += 1
            stepped = _step(here, payoffs, may, MEASURED if learned else BOLD, careful=attempt > 0 and not learned)
            if stepped is None:
                break
            here, length = stepped
            short = short + 1 if length < TOO_SHORT else 0
        attempt += 1


def _averages(payoffs: Payoffs, mix: Array) -> Array:
    """`[groups, terms, bids]`."""
    groups, terms, bids, _ = payoffs.table.shape
    out = np.empty((groups, terms, bids))
    averages_against(payoffs, np.ascontiguousarray(mix.mean(axis=1)), np.empty(bids + 1), out)
    return out


def _worth(payoffs: Payoffs, mix: Array) -> Array:
    """`[groups, values, bids]` payoffs against a profile."""
    return np.einsum("igbv,igb->ivb", payoffs.table, _averages(payoffs, mix))


def _begin(mix: Array, payoffs: Payoffs, may: Allowed) -> _Here:
    """Levels a little above the best payoffs, and the slacks that belong to them."""
    payoff = _worth(payoffs, mix)
    high = np.where(may, payoff, -np.inf).max(axis=-1)
    spread = high - np.where(may, payoff, np.inf).min(axis=-1)
    level = high + np.where(spread > 0, 0.1 * spread, 1.0)
    return _Here(mix, np.where(may, level[..., None] - payoff, 1.0), level, payoff)


def _near_learned(mix: Array, payoffs: Payoffs, stake: float) -> _Here:
    """A point that is on the path at the payoffs which fictitious play leads to."""
    _fictitious_play(mix, payoffs, LEARNED, 1.0, Goal(-1.0, -1.0, stake), np.zeros(1))
    payoff = _worth(payoffs, mix)
    groups, values, bids = mix.shape
    mix, slack, level = np.zeros(mix.shape), np.ones(mix.shape), np.zeros((groups, values))
    for i, v in np.ndindex(groups, values):
        may = payoffs.allowed[i, v]
        on_path(payoff[i, v, :may], NEAR * stake / bids, np.ones(may), mix[i, v], slack[i, v], level[i], v)
    return _Here(mix, slack, level, payoff)


def _step(here: _Here, payoffs: Payoffs, may: Allowed, part: float, careful: bool) -> tuple[_Here, float] | None:
    """Newton's step towards a smaller μ, and its length; None if there is none.

    With r = x/s, a mixture follows payoffs and its level by dx = fixed + r·(du − dλ), Σ_b dx = 0. The payoffs move with the
    masses of all groups, du = Σ_terms table·(slopes · dm), and dm is the mean of dx over values: linear equations in dm.
    """
    mix, slack, level, payoff = here
    groups, _, bids = mix.shape
    ratio = np.where(may, mix / slack, 0.0)
    total = ratio.sum(axis=-1, keepdims=True)
    slopes = np.empty((groups, payoffs.table.shape[1], bids, groups * bids))
    by_group = slopes.reshape(*slopes.shape[:3], groups, bids)
    rank_slopes(payoffs.ranking, payoffs.coefficients, np.ascontiguousarray(mix.mean(axis=1)), by_group)
    matrix, pivots = np.empty((groups * bids, groups * bids)), np.empty(groups * bids, np.int64)
    equations(ratio, payoffs.table, slopes, matrix)
    factor(matrix, pivots)
    count = may.sum()
    mu = float((mix * slack)[may].sum() / count)

    def towards(goal: float, second: Array) -> tuple[Array, Array, Array, float] | None:
        missing = np.where(may, level[..., None] - payoff - slack, 0.0)
        fixed = np.where(may, (goal - mix * slack - second) / slack - ratio * missing, 0.0)
        excess = fixed.sum(axis=-1, keepdims=True) / total
        right = (fixed - ratio * excess).mean(axis=1).reshape(-1)
        substitute(matrix, pivots, right)
        moved = _moved(payoffs.table, slopes, right)
        rise = excess + (ratio * moved).sum(axis=-1, keepdims=True) / total
        dx = fixed + ratio * (moved - rise)
        ds = np.where(may, rise - moved + missing, 0.0)
        if not (np.all(np.isfinite(dx)) and np.all(np.isfinite(ds))):
            return None
        length = 1.0
        for now, change in ((mix, dx), (slack, ds)):
            falls = may & (change < 0)
            if falls.any():
                length = min(length, float((-now[falls] / change[falls]).min()))
        return dx, ds, rise[..., 0], length

    first = towards(0.0, np.zeros(mix.shape))
    if first is None:
        return None
    dx, ds, _, length = first
    ahead = float(((mix + length * dx) * (slack + length * ds))[may].sum() / count)
    # the better Newton's step to μ = 0 would do, the smaller the μ that the actual step aims at
    centring = min(max((ahead / mu) ** 3, 1e-4), 0.9)
    if careful:
        centring = max(centring, 0.3)
    step = towards(centring * mu, np.zeros(mix.shape) if careful else dx * ds)
    if step is None:
        return None
    dx, ds, rise, length = step
    length = min(1.0, part * length)
    for _ in range(8):
        moved = np.where(may, np.maximum(mix + length * dx, 0.0), 0.0)
        moved /= moved.sum(axis=-1, keepdims=True)
        new_slack = np.where(may, slack + length * ds, 1.0)
        new_level = level + length * rise
        new_payoff = _worth(payoffs, moved)
        off = np.abs(new_level[..., None] - new_payoff - new_slack)[may]
        was = np.abs(level[..., None] - payoff - slack)[may]
        if np.all(off <= (1 - length) * was + (0.5 if careful else 2.0) * new_slack[may]):
            break
        length /= 2
    return _Here(moved, new_slack, new_level, new_payoff), length


@compiled
def on_path(payoff, mu, aim, mix, slack, level, v):  # type: ignore[no-untyped-def]
    """The mixture x and slacks s of a value for which x·s = μ·aim at these payoffs, and its level."""
    top = payoff.max()
    above = 0.0  # the level above the best payoff; from below, Newton's steps for 1 / Σx never pass the solution
    for b in range(len(payoff)):
        above = max(above, mu * aim[b] - (top - payoff[b]))
    for _ in range(100):
        total = steep = 0.0
        for b in range(len(payoff)):
            x = mu * aim[b] / (above + (top - payoff[b]))
            total += x
            steep += x / (above + (top - payoff[b]))
        step = total * (total - 1.0) / steep
        above += step
        if step <= 1e-14 * above:
            break
    total = 0.0
    for b in range(len(payoff)):
        slack[b] = above + (top - payoff[b])
        mix[b] = mu * aim[b] / slack[b]
        total += mix[b]
    for b in range(len(payoff)):
        mix[b] /= total
    level[v] = top + above


@compiled
def equations(ratio, table, slopes, matrix):  # type: ignore[no-untyped-def]
    """Fill matrix `[groups·bids, groups·bids]`: 1 − (mean over values of (diag r − r rᵀ/Σr)·table)·slopes, block by block."""
    groups, values, bids = ratio.shape
    terms = table.shape[1]
    matrix[:] = 0.0
    follows = np.empty((bids, bids))
    for i in range(groups):
        for g in range(terms):
            follows[:] = 0.0
            for v in range(values):
                whole = 0.0
                for b in range(bids):
                    whole += ratio[i, v, b]
                for b in range(bids):
                    r = ratio[i, v, b]
                    if r == 0.0:
                        continue
                    follows[b, b] += r * table[i, g, b, v]
                    share = r / whole
                    if share > 1e-16:  # late on the path a value mixes between few bids
                        for c in range(bids):
                            follows[b, c] -= share * ratio[i, v, c] * table[i, g, c, v]
            for b in range(bids):
                row = matrix[i * bids + b]
                for c in range(bids):
                    f = follows[b, c] / values
                    if f != 0.0:
                        for k in range(groups * bids):
                            row[k] -= f * slopes[i, g, c, k]
    for k in range(groups * bids):
        matrix[k, k] += 1.0


@compiled
def _moved(table, slopes, mass):  # type: ignore[no-untyped-def]
    """`[groups, values, bids]` by how much payoffs move with masses `[groups·bids]`."""
    groups, terms, bids, values = table.shape
    out = np.zeros((groups, values, bids))
    for i in range(groups):
        for g in range(terms):
            for b in range(bids):
                change = 0.0
                for k in range(len(mass)):
                    change += slopes[i, g, b, k] * mass[k]
                for v in range(values):
                    out[i, v, b] += table[i, g, b, v] * change
    return out
