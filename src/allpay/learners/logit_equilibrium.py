"""Logit equilibrium: people who make better bids more often, and know that the others do so too; solved, not learned.

A model of behaviour: in laboratories bidders bid more than in an equilibrium of best responses, and it says by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import ClassVar, NamedTuple

import numpy as np

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, Setting
from allpay.contest.payoffs import (
    Payoffs,
    averages_of,
    marginal_worths,
    mean_regret,
    payoffs_of,
    quadrature,
    tie_slopes,
)
from allpay.contest.ranking import rank_slopes
from allpay.learners.base import (
    CHECKPOINTS,
    Learned,
    Seeds,
    check_batch,
    check_count,
    check_number,
    check_self_play,
    outcome_of_runs,
    threads,
    usual_bytes,
)
from allpay.learners.interior_groups import equations
from allpay.learners.linear import factor, substitute
from allpay.learners.mixing import softmax, utilities_against
from allpay.outcome import Outcome

SOLVED = 1e-12
"""Masses whose response differs from them by no more than this, in all, need no further step."""

NEAR_ENOUGH = 1e-9
"""The same where rounding allows no better step."""

STEPS = 15
"""Newton's steps at one noise before a smaller stride is taken."""

QUICK = 5
"""After fewer steps than this the next stride is longer."""

SHORTEST = 0.9995
"""A stride that leaves more of the noise than this gets nowhere: there the branch turns back."""

HOTTER, HOTTEST = 4.0, 1e6
"""Where the branch cannot be begun, so many times the noise is tried, up to so many times what payoffs differ by."""

SETTLING = 300
"""Iterations of averaged responses where it does, before Newton's method is tried at the noise that was asked for."""


@dataclass(frozen=True)
class LogitEquilibrium:
    """The logit quantal response equilibrium (McKelvey & Palfrey 1995; of all-pay auctions Anderson, Goeree & Holt 1998).

    With u[v, b] the payoff of bid b against rivals who play x, and w[b] how many bids a bid of the grid stands for,

        x[v, b] ∝ w[b]·exp(u[v, b] / μ),     μ = noise.

    As μ falls to 0 this becomes an equilibrium, as it rises bids become uniform over all that are allowed: what bids these are,
    the cap above all, is a part of the model.

    The bid grid stands for continuous bids: an inner bid for those within half a step, the lowest and the highest that a
    bidder may make for those on one side, whose mean payoff they have. Then revenue comes near that of a density of bids with
    the square of the step. With `discrete` the bids of the grid are all that there are and count alike. To stay out, where that
    is possible, counts as much as all bids together; with `discrete`, as one of them.

    Of several equilibria this is the one on the branch that begins at the uniform mixture at infinite noise: it is followed to
    the noise asked for, with Newton's method on the masses of bids at each stride, whose matrix is exact. All rounds
    have the same strategies, and differ by the auctions that are sampled.

    Attributes:
        noise: μ > 0, in units of payoff: the money of values and bids, or utility.
        discrete: whether bids are those of the grid, and not continuous.
        iterations: the most of Newton's steps, all strides together.
        tolerance: how far strategies may be from the logit response to them, see `residual`; None for 1e-8.
        auctions: how many fresh auctions are sampled with the strategies for the realised revenue.
    """

    noise: float = 0.1
    discrete: bool = False
    iterations: int = 2000
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "logit-equilibrium"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True
    solver: ClassVar[bool] = True
    behaviour: ClassVar[str] = "a logit equilibrium"

    def __post_init__(self) -> None:
        check_self_play(self)
        check_number("noise", self.noise, 1e-9, 1e12, low="be above 0 and finite")
        check_count("iterations", self.iterations, most=1_000_000)

    def bytes_needed(self, bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
        working = min(runs, threads()) * 8 * (5 * (groups * bids) ** 2 + 8 * groups * values * bids)
        return working + usual_bytes(bidders, values, bids, runs, groups)

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        check_batch(games, seeds)
        locks = {id(game): Lock() for game in games}
        solved: dict[int, Learned] = {}

        def run(game: Game, _: np.uint64) -> Learned:
            with locks[id(game)]:  # rounds differ by their auctions alone
                if id(game) not in solved:
                    solved[id(game)] = self.solve(game)
            return solved[id(game)]

        return outcome_of_runs(self, games, seeds, run, self.auctions, self.tolerance or 1e-8)

    def solve(self, game: Game) -> Learned:
        """The equilibrium of a game, and how far from one of best responses it and those of more noise are."""
        responses = self._responses(game)
        mass, trace, taken = _followed(responses, float(self.noise), self.iterations)
        history = np.full(CHECKPOINTS, np.nan)
        kept = np.array(trace)[np.linspace(0, len(trace) - 1, min(len(trace), CHECKPOINTS)).astype(int)]
        history[: len(kept)] = kept
        return Learned(responses.to(mass, float(self.noise)).transpose(0, 2, 1).copy(), history, max(taken, 1))

    def response(self, game: Game, mass: Array) -> Array:
        """The logit response `[groups, values, bids]` to rivals who bid with masses `[groups, bids]`."""
        return self._responses(game).to(mass, float(self.noise)).transpose(0, 2, 1).copy()

    def residual(self, game: Game, strategy: Array) -> float:
        """How far strategies `[groups, values, bids]` are from the logit response to them: half the sum over bids of what they
        differ by, of the group and value where that is most."""
        off = np.abs(self.response(game, strategy.mean(axis=1)) - strategy)
        return float(off.sum(axis=-1).max() / 2)

    def _responses(self, game: Game) -> "Responses":
        payoffs = payoffs_of(game)
        if self.discrete:
            counted = np.arange(game.bid_levels)[:, None] < game.limits[:, None, :]
            return Responses(payoffs, np.where(counted, 1.0, 0.0))
        weights, apart = cells(game)
        return Responses(
            payoffs._replace(table=_at_middles(payoffs.table, apart, game.mechanism.may_stay_out)), weights
        )


def cells(game: Game) -> tuple[Array, Array]:
    """How many bids each bid of the grid stands for, and how far above it their middle is, both `[groups, bids, values]`.

    Bids are counted in steps of the grid up to the highest that a bidder of the group and value may make. To stay out counts as
    much as all bids together. The middle is told in steps too.
    """
    out = int(game.mechanism.may_stay_out)
    grid = game.bid_grid[out:]
    step = grid[1] - grid[0]
    caps = np.full((len(game.groups), game.value_levels), grid[-1])
    for row, values, (bidder, _) in zip(caps, game.value_grids, game.groups, strict=True):
        if bidder.max_bid is not None:
            row[:] = np.minimum(row, bidder.max_bid)
        if not bidder.overbidding:
            row[:] = np.minimum(row, values)
    last = (game.limits - 1 - out)[:, None, :]  # −1 where only to stay out is allowed
    bid = np.arange(len(grid))[None, :, None]
    room = np.maximum((caps - grid[0]) / step, game.limits - 1 - out)[:, None, :]
    low = np.maximum(bid - 0.5, 0.0)
    high = np.where(bid == last, room, bid + 0.5)
    weights = np.where(bid <= last, high - low, 0.0)
    weights = np.where((last <= 0) & (bid == last), 1.0, weights)  # a single bid, however few it stands for
    apart = np.where((bid <= last) & (last > 0) & ((bid == 0) | (bid == last)), (low + high) / 2 - bid, 0.0)
    if out:
        all_bids = weights.sum(axis=1, keepdims=True)
        weights = np.concatenate([np.where(all_bids > 0, all_bids, 1.0), weights], axis=1)
        apart = np.concatenate([np.zeros_like(all_bids), apart], axis=1)
    return weights, apart


def _at_middles(table: Array, apart: Array, out: bool) -> Array:
    """A table `[groups, terms, bids, values]` of what bids are worth, moved to the middles of what they stand for, along the
    line through the next bid on the inner side."""
    rises = np.diff(table, axis=2)
    inner = np.concatenate([rises[:, :, :1], rises], axis=2)  # towards a bid from the one below
    first = int(out)
    if table.shape[2] > first + 1:
        inner[:, :, first] = rises[:, :, first]
    return np.asarray(table + apart[:, None] * inner)


class Responses(NamedTuple):
    """What logit responses need to know of a game: payoffs, and how many bids `[groups, bids, values]` each bid stands for."""

    payoffs: Payoffs
    weights: Array

    def to(self, mass: Array, noise: float) -> Array:
        """The responses `[groups, bids, values]` to masses `[groups, bids]`."""
        mix = np.empty(self.weights.shape)
        _respond(self.payoffs, np.ascontiguousarray(mass), self.weights, noise, mix)
        return mix


def _room(payoffs: Payoffs) -> tuple[Array, Array]:
    """Scratch for the running sums of masses, and for what terms come to."""
    groups, terms, bids, _ = payoffs.table.shape
    return np.empty(bids + 1), np.empty((groups, terms, bids))


@compiled
def _respond(payoffs, mass, weights, noise, mix):  # type: ignore[no-untyped-def]
    """Fill mix `[groups, bids, values]` with weights·e^{u/noise} over its sum, u being the payoffs against these masses."""
    groups, bids, values = mix.shape
    cdf, averages = np.empty(bids + 1), np.empty((groups, len(payoffs.coefficients), bids))
    score = np.empty(mix.shape)
    utilities_against(mass, payoffs, cdf, averages, score)
    for i in range(groups):
        for b in range(bids):
            for v in range(values):
                if weights[i, b, v] > 0.0:
                    score[i, b, v] = score[i, b, v] / noise + np.log(weights[i, b, v])
    softmax(score, payoffs.allowed, mix, np.empty(values))


def _followed(responses: Responses, noise: float, most: int) -> tuple[Array, list[float], int]:
    """The masses `[groups, bids]` of the equilibrium at a noise, along the branch from the uniform mixture; with the
    exploitability at each stride, and the steps taken."""
    mass = responses.to(np.full(responses.weights.shape[:2], 1.0), 1e300).mean(axis=2)
    payoff = np.empty(responses.weights.shape)
    utilities_against(mass, responses.payoffs, *_room(responses.payoffs), payoff)
    spread = float((payoff.max(axis=1) - payoff.min(axis=1)).max())
    trace, taken = [_gain(responses, mass, noise)], 0
    here, target, part = np.inf, max(noise, spread), 0.5
    while taken < most and here > noise:
        found, steps = _newton(responses, mass, target, most - taken)
        taken += steps
        if found is not None:
            mass, here = found, target
            trace.append(_gain(responses, mass, target))
            part = part**1.5 if steps < QUICK else part
        elif here == np.inf:  # nearer to the uniform mixture
            target *= HOTTER
            if target > HOTTEST * max(noise, spread):
                break
            continue
        else:
            part = part**0.5
            if part > SHORTEST:
                break
        target = max(noise, here * part)
    if here > noise:  # the branch turns back, or time is out
        for t in range(SETTLING):
            mass = mass + (responses.to(mass, noise).mean(axis=2) - mass) / (t + 2)
        found, steps = _newton(responses, mass, noise, STEPS)
        taken += steps
        mass = mass if found is None else found
        trace.append(_gain(responses, mass, noise))
    return mass, trace, taken


def _newton(responses: Responses, mass: Array, noise: float, most: int) -> tuple[Array | None, int]:
    """The masses whose responses they are, from near ones, by Newton's method; None if it does not find them. And the steps.

    With m the masses and L(m) the mean over values of the responses x, (1 − L′)·d = L(m) − m, and
    L′ = mean over values of (diag x − x xᵀ)/μ · du/dm. A step is halved until the difference falls.
    """
    payoffs = responses.payoffs
    groups, _, bids, _ = payoffs.table.shape
    size = groups * bids
    matrix, pivots = np.empty((size, size)), np.empty(size, np.int64)
    mix = responses.to(mass, noise)
    off = mix.mean(axis=2) - mass
    far = float(np.abs(off).sum(axis=1).max())
    for taken in range(min(STEPS, most)):
        if far <= SOLVED:
            return mass, taken
        moves = marginal_worths(payoffs, averages_of(payoffs, mass))
        equations(np.ascontiguousarray(mix.transpose(0, 2, 1)) / noise, moves, _slopes(payoffs, mass), matrix)
        factor(matrix, pivots)
        step = off.ravel().copy()
        substitute(matrix, pivots, step)
        if not np.all(np.isfinite(step)):
            return None, taken
        length = 1.0
        while True:
            moved = mass + length * step.reshape(groups, bids)
            moved = np.where(moved < 0, 0.1 * mass, moved)
            moved /= moved.sum(axis=1, keepdims=True)
            mix = responses.to(moved, noise)
            moved_off = mix.mean(axis=2) - moved
            further = float(np.abs(moved_off).sum(axis=1).max())
            if further < far:
                break
            length /= 2
            if length < 1e-3:
                return (mass if far <= NEAR_ENOUGH else None), taken
        mass, off, far = moved, moved_off, further
    return (mass if far <= NEAR_ENOUGH else None), min(STEPS, most)


def _slopes(payoffs: Payoffs, mass: Array) -> Array:
    """`[groups, terms, bids, groups·bids]` how expected coefficients move with the masses of bids."""
    groups, terms, bids, _ = payoffs.table.shape
    slopes = np.zeros((groups, terms, bids, groups, bids))
    if payoffs.plain:
        n = payoffs.coefficients.shape[1]
        falls = (1 - n) * np.diff(payoffs.coefficients, axis=1)
        cdf = np.concatenate([[0.0], np.cumsum(mass[0])])
        cdf = np.minimum(cdf / cdf[-1], 1.0)
        lower, upper = np.empty((terms, bids)), np.empty((terms, bids))
        tie_slopes(falls, cdf, payoffs.nodes, payoffs.weights, quadrature(n - 1).log_binomials, lower, upper)
        below = np.tri(bids, k=-1)  # the bids that move both ends of the tie; the bid itself moves the upper one
        slopes[0, :, :, 0] = (lower + upper)[:, :, None] * below + upper[:, :, None] * np.eye(bids)
    else:
        rank_slopes(payoffs.ranking, payoffs.coefficients, np.ascontiguousarray(mass), slopes)
    return slopes.reshape(groups, terms, bids, groups * bids)


def _gain(responses: Responses, mass: Array, noise: float) -> float:
    """The exploitability of the responses to masses, when all bid so."""
    mix = np.ascontiguousarray(responses.to(mass, noise).transpose(0, 2, 1))
    return float(mean_regret(responses.payoffs, averages_of(responses.payoffs, mix.mean(axis=1)), mix))
