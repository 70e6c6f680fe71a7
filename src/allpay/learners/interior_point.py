"""Interior point: the symmetric equilibrium of the game on its grid, as the end of a path that Newton's method follows.

A solver, not a model of how people learn: for games in which learning circles, and for answers down to rounding error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, Setting, check_expected_utility
from allpay.contest.payoffs import Payoffs, fill_cdf, quadrature, regret, tie_averages, tie_slopes
from allpay.learners.base import Seeds, check_count, check_self_play, self_play, threads, usual_bytes
from allpay.learners.fictitious_play import _fictitious_play
from allpay.learners.interior_groups import BOLD, LEARNED, MEASURED, NEAR, follow, on_path
from allpay.learners.linear import factor, substitute
from allpay.outcome import Goal, Outcome, reached

ROUNDING = 1e-10
"""Exploitability, relative to the stake, at which a run ends in any case: what is left is not worth a step."""

MOST_ITERATIONS = 1_000_000
"""More iterations than this are refused: a path that has not ended by then does not."""

PATIENCE = 100
"""Iterations of the first attempt; each further one gets twice as many."""

WAYS = 5
"""An attempt goes one of these ways, in turn:

0. from half way between the uniform and a random mixture, nearly to the border of what is allowed at each step;
1. from near what fictitious play learns in a few iterations, with shorter steps;
2. as 0, with shorter steps;
3. as 1, along another path: μ times random numbers in the place of μ;
4. as 0, with care: along the path, each step so short that payoffs are nearly straight.

They differ in which games they solve: 1 and 3 those in which most bidders win next to nothing, as at a first price with many
bidders, where the path of 0 turns back again and again (`benchmarks/learners.py --hard`).
"""

FAR = 0.1
"""The μ with which way 3 begins, as a part of the stake; way 1 has `NEAR`."""

CURVATURE = 0.5
"""In a careful attempt the curvature of payoffs may change no slack by more than this part of it in one step."""


@dataclass(frozen=True)
class InteriorPoint:
    """A primal–dual interior-point method (Kojima, Megiddo & Noma 1991) with a predictor and a corrector (Mehrotra 1992).

    Bidders of value v who bid b with probability x_vb are in a symmetric equilibrium if, u_vb(x) being the payoff of b,

        x_vb ≥ 0,   Σ_b x_vb = 1,   s_vb = λ_v − u_vb(x) ≥ 0,   x_vb s_vb = 0.

    With μ > 0 in place of the last 0 there is a path of solutions that begins at the uniform mixture (μ = ∞): equilibria of
    bidders with logarithmic control costs (van Damme 1991, chapter 4), of exploitability (bids)·μ. A step is Newton's
    towards a smaller μ, short enough that all x and s stay above 0. Payoffs depend on x through the K − 1 interior
    points of the distribution of a rival's bid alone, so a step solves K − 1 linear equations however many values there
    are, and their matrix is exact: u_vb moves with the two points beside b.

    Rounds differ by where they start, half way between the uniform and a random mixture: where a game has several
    symmetric equilibria, they may end in different ones. The path may turn back, and then steps get short; a run starts
    again, in another way (`WAYS`), and has more time. It ends with the best it has seen.

    Attributes:
        iterations: the most that a run takes, all its attempts together.
        tolerance: stop a run as soon as its distance from equilibrium is at most this; None goes on to 1e-10.
        auctions: how many fresh auctions are sampled with the strategies found for the realised revenue.
    """

    iterations: int = 1000
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "interior-point"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True
    solver: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_self_play(self)
        check_count("iterations", self.iterations, most=MOST_ITERATIONS)

    def bytes_needed(self, bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
        # with groups, the slopes of two or three terms and a matrix and its copy, over all their bids
        matrix = (bids - 1) ** 2 if groups == 1 else 5 * (groups * bids) ** 2
        working = min(runs, threads()) * 8 * (matrix + 10 * groups * values * bids + self.iterations)
        return working + usual_bytes(bidders, values, bids, runs, groups)

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        def kernel(game: Game, payoffs: Payoffs, strategy: Array, goal: Goal, history: Array) -> int:
            check_expected_utility(self.name, game)
            n = payoffs.coefficients.shape[1]
            falls = (1 - n) * np.diff(payoffs.coefficients, axis=1)
            trace = np.full(self.iterations + 1, np.nan)
            if payoffs.plain:
                alike = _Alike(*payoffs[:1], payoffs.table[0], payoffs.allowed[0], *payoffs[3:6])
                point = _point(*alike.table.shape)
                taken = _follow(strategy[0], point, alike, payoffs, falls, quadrature(n - 1).log_binomials, goal, trace)
            else:
                taken = follow(strategy, payoffs, goal, trace)
            if taken < len(history):
                history[: taken + 1] = trace[: taken + 1]
            else:
                history[:] = trace[np.linspace(0, taken, len(history)).astype(int)]
            return taken

        return self_play(self, kernel, games, seeds, least=ROUNDING)


class _Alike(NamedTuple):
    """The payoffs of a game whose bidders are alike and in which the highest bid wins: `Payoffs` of its one group."""

    coefficients: Array  # [terms, bidders]
    table: Array  # [terms, bids, values]
    allowed: NDArray[np.int64]  # [values]
    nodes: Array
    weights: Array
    log_binomials: Array


class _Point(NamedTuple):
    """Where a run is, what it knows there, and its next step; room for all of it.

    mix (x), slack (s), payoff (u), their steps and what follows are `[values, bids]`, level (λ) and its step `[values]`;
    cdf and its step `[bids + 1]`; averages and their slopes `[terms, bids]`; matrix and pivots of K − 1 equations.
    """

    mix: Array
    slack: Array
    payoff: Array
    mix_step: Array
    slack_step: Array
    second: Array  # what the corrector takes for the product of the two steps
    fixed: Array  # the step of the mix if payoffs and levels stayed
    aim: Array  # what x·s is to be, as a multiple of μ: all 1, or random numbers around 1 that choose another path
    ratio: Array  # mix / slack: how strongly the mix follows payoffs
    level: Array
    level_step: Array
    cdf: Array
    cdf_step: Array
    averages: Array
    lower: Array
    upper: Array
    matrix: Array
    pivots: NDArray[np.int64]


def _point(terms: int, bids: int, values: int) -> _Point:
    def room(*shape: int) -> Array:
        return np.zeros(shape)

    cells = (values, bids)
    return _Point(
        mix=room(*cells),
        slack=room(*cells),
        payoff=room(*cells),
        mix_step=room(*cells),
        slack_step=room(*cells),
        second=room(*cells),
        fixed=room(*cells),
        aim=np.ones(cells),
        ratio=room(*cells),
        level=room(values),
        level_step=room(values),
        cdf=room(bids + 1),
        cdf_step=room(bids + 1),
        averages=room(terms, bids),
        lower=room(terms, bids),
        upper=room(terms, bids),
        matrix=room(bids - 1, bids - 1),
        pivots=np.zeros(bids - 1, np.int64),
    )


@compiled
def _follow(best, p, game, whole, falls, fewer_binomials, goal, trace):  # type: ignore[no-untyped-def]
    """Turn `best` `[values, bids]`, a random mixture, into the best strategy found; fill trace; return iterations taken."""
    values = len(best)
    allowed = game.allowed
    iterations = len(trace) - 1
    start = best.copy()
    found = np.inf
    taken = attempt = np.int64(0)  # no literal, for which `_begin` would be compiled once more
    while True:
        way = attempt % WAYS
        careful, part = way == 4, BOLD if way in (0, 3) else MEASURED
        give_up = taken + PATIENCE * 2 ** min(int(attempt), 2)
        _begin(start, p, game, whole, goal.stake, attempt)
        short = 0
        while taken < give_up and short < 4:
            _look(p, game, p.mix, p.mix, 0.0)
            trace[taken] = regret(p.averages, game.table, allowed, whole.attitudes[0], p.mix)
            if trace[taken] < found:
                found = trace[taken]
                best[:] = p.mix
            here = p.averages.reshape((1, *p.averages.shape))
            if reached(goal, trace[taken], whole, here, p.mix.reshape((1, *p.mix.shape))):
                best[:] = p.mix
                return taken
            if taken == iterations:
                return taken
            tie_slopes(falls, p.cdf, game.nodes, game.weights, fewer_binomials, p.lower, p.upper)
            _linearise(p, game)
            taken += 1
            mu = _complementarity(p, allowed, 0.0)
            p.second[:] = 0.0
            length = _direct(p, game, 0.0)
            # The better Newton's step to μ = 0 would do, the smaller the μ that the actual step aims at.
            centring = min(max((_complementarity(p, allowed, length) / mu) ** 3, 1e-4), 0.9)
            if not careful:
                for v in range(values):
                    for b in range(allowed[v]):
                        p.second[v, b] = p.mix_step[v, b] * p.slack_step[v, b]
            length = min(1.0, part * _direct(p, game, centring * mu))
            if careful:
                length = _shorten(p, game, length)
            if length == 0.0:
                break
            short = short + 1 if length < 1e-3 else 0
            for v in range(values):
                p.level[v] += length * p.level_step[v]
                total = 0.0
                for b in range(allowed[v]):
                    p.mix[v, b] += length * p.mix_step[v, b]
                    p.slack[v, b] += length * p.slack_step[v, b]
                    total += p.mix[v, b]
                for b in range(allowed[v]):
                    p.mix[v, b] /= total
        attempt += 1


@compiled
def _begin(start, p, game, whole, stake, attempt):  # type: ignore[no-untyped-def]
    """Where an attempt begins; a further one takes the same random numbers `start` `[values, bids]`, moved on by a bid."""
    allowed = game.allowed
    way = attempt % WAYS
    moved = np.zeros((1, *start.shape))
    for v in range(len(start)):
        total = 0.0
        for b in range(allowed[v]):
            moved[0, v, b] = start[v, (b + attempt) % allowed[v]]
            p.aim[v, b] = moved[0, v, b] ** 0.75 if way == 3 else 1.0
            total += p.aim[v, b]
        for b in range(allowed[v]):
            p.aim[v, b] *= allowed[v] / total
            p.mix[v, b] = 0.5 / allowed[v] + 0.5 * moved[0, v, b]
    if way in (1, 3):
        _fictitious_play(moved, whole, LEARNED, 1.0, Goal(-1.0, -1.0, stake), np.zeros(1))
        p.mix[:] = moved[0]
    _look(p, game, p.mix, p.slack, 0.0)
    for v in range(len(start)):
        payoff = p.payoff[v, : allowed[v]]
        if way in (1, 3):
            on_path(
                payoff, stake / allowed.max() * (NEAR if way == 1 else FAR), p.aim[v], p.mix[v], p.slack[v], p.level, v
            )
        else:
            _start_slacks(payoff, p.slack[v], p.level, v)


@compiled
def _look(p, game, mix, step, length):  # type: ignore[no-untyped-def]
    """The payoffs of bids against rivals who play mix + length·step."""
    terms, bids, values = game.table.shape
    mass = np.zeros(bids)
    for v in range(values):
        for b in range(game.allowed[v]):
            mass[b] += mix[v, b] + length * step[v, b]
    fill_cdf(mass, p.cdf)
    tie_averages(game.coefficients, p.cdf, game.nodes, game.weights, game.log_binomials, p.averages)
    p.payoff[:] = 0.0
    for v in range(values):
        for b in range(game.allowed[v]):
            for g in range(terms):
                p.payoff[v, b] += game.table[g, b, v] * p.averages[g, b]


@compiled
def _start_slacks(payoff, slack, level, v):  # type: ignore[no-untyped-def]
    """Levels a little above the best payoff, and the slacks that belong to them."""
    high, low = -np.inf, np.inf
    for b in range(len(payoff)):
        high, low = max(high, payoff[b]), min(low, payoff[b])
    level[v] = high + (0.1 * (high - low) if high > low else 1.0)
    for b in range(len(payoff)):
        slack[b] = level[v] - payoff[b]


@compiled
def _complementarity(p, allowed, length):  # type: ignore[no-untyped-def]
    """The mean of x·s after a step of that length: μ."""
    total = 0.0
    count = 0
    for v in range(len(allowed)):
        for b in range(allowed[v]):
            x = p.mix[v, b] + length * p.mix_step[v, b]
            total += x * (p.slack[v, b] + length * p.slack_step[v, b])
        count += allowed[v]
    return total / count


@compiled
def _linearise(p, game):  # type: ignore[no-untyped-def]
    """Fill ratio and the factored matrix of the step of the cdf, F(b) for b = 1 … K−1 being the chance of a bid below b.

    With r = x/s the mix of a value follows its payoffs by dx = r·(du − Σ r du / Σ r), and du_b = α_b dF_b + β_b dF_{b+1}.
    The equations are dF_{b+1} − dF_b = (mean of dx_b over values) + what is fixed.
    """
    terms, bids, values = game.table.shape
    matrix = p.matrix
    matrix[:] = 0.0
    pull = np.empty(bids + 1)
    for b in range(bids - 1):
        matrix[b, b] = 1.0
        if b > 0:
            matrix[b, b - 1] = -1.0
    for v in range(values):
        allowed = game.allowed[v]
        total = 0.0
        pull[:] = 0.0
        for b in range(allowed):
            r = p.mix[v, b] / p.slack[v, b]
            p.ratio[v, b] = r
            total += r
            below = above = 0.0
            for g in range(terms):
                below += game.table[g, b, v] * p.lower[g, b]
                above += game.table[g, b, v] * p.upper[g, b]
            pull[b] += r * below
            pull[b + 1] += r * above
            if b < bids - 1:
                if b > 0:
                    matrix[b, b - 1] -= r * below / values
                matrix[b, b] -= r * above / values
        for b in range(min(allowed, bids - 1)):
            share = p.ratio[v, b] / (total * values)
            if share > 1e-16:  # late on the path a value mixes between few bids
                for c in range(bids - 1):
                    matrix[b, c] += share * pull[c + 1]
    factor(matrix, p.pivots)


@compiled
def _direct(p, game, mu):  # type: ignore[no-untyped-def]
    """Fill the steps towards x·s = mu; return the length in (0, 1] at which a mix or slack hits 0, 0 if there is no step.

    p.payoff must be of p.mix, p.second the product of steps to correct for.
    """
    terms, bids, values = game.table.shape
    right = np.zeros(bids - 1)
    for v in range(values):
        excess = total = 0.0
        for b in range(game.allowed[v]):
            x, s, r = p.mix[v, b], p.slack[v, b], p.ratio[v, b]
            missing = p.level[v] - p.payoff[v, b] - s
            p.fixed[v, b] = (mu * p.aim[v, b] - x * s - p.second[v, b]) / s - r * missing
            excess += p.fixed[v, b]
            total += r
        p.level_step[v] = excess / total
        for b in range(min(game.allowed[v], bids - 1)):
            right[b] += (p.fixed[v, b] - p.ratio[v, b] * p.level_step[v]) / values
    substitute(p.matrix, p.pivots, right)
    for b in range(bids - 1):
        p.cdf_step[b + 1] = right[b]
    length = 1.0
    for v in range(values):
        follow = total = 0.0
        for b in range(game.allowed[v]):
            change = 0.0
            for g in range(terms):
                slope = p.lower[g, b] * p.cdf_step[b] + p.upper[g, b] * p.cdf_step[b + 1]
                change += game.table[g, b, v] * slope
            p.slack_step[v, b] = change
            follow += p.ratio[v, b] * change
            total += p.ratio[v, b]
        p.level_step[v] += follow / total
        for b in range(game.allowed[v]):
            x, s = p.mix[v, b], p.slack[v, b]
            rise = p.level_step[v] - p.slack_step[v, b]
            dx = p.fixed[v, b] - p.ratio[v, b] * rise
            ds = rise + p.level[v] - p.payoff[v, b] - s
            if not (np.isfinite(dx) and np.isfinite(ds)):
                return 0.0
            if dx < -x:
                length = min(length, -x / dx)
            if ds < -s:
                length = min(length, -s / ds)
            p.mix_step[v, b], p.slack_step[v, b] = dx, ds
    return length


@compiled
def _shorten(p, game, length):  # type: ignore[no-untyped-def]
    """Half the step, up to six times, until what the curvature of payoffs adds to any slack is a small part of it."""
    before = p.payoff.copy()
    for _ in range(6):
        _look(p, game, p.mix, p.mix_step, length)
        worst = 0.0
        for v in range(len(p.level)):
            level = p.level[v] + length * p.level_step[v]
            for b in range(game.allowed[v]):
                slack = p.slack[v, b] + length * p.slack_step[v, b]
                left = (1.0 - length) * abs(p.level[v] - before[v, b] - p.slack[v, b])
                worst = max(worst, (abs(level - p.payoff[v, b] - slack) - left) / slack)
        if worst <= CURVATURE:
            break
        length /= 2.0
    return length
