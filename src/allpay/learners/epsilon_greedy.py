"""Epsilon-greedy bidders: each keeps a table of value × bid with the mean of what a bid has brought, and mostly plays the best.

Every bidder learns on its own from the auctions it takes part in; this is a long chain of tiny steps, so it is one compiled
loop per run (Numba: on a core, 20–25 times what the same loop does as a JAX scan, see `benchmarks/epsilon_greedy.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit, uint64

from allpay.auction import GOLDEN, bid_key, high_index, low_index, rank_of, word
from allpay.errors import AllpayError
from allpay.game import Array, Game, Private, Setting
from allpay.learners.base import CHECKPOINTS, Seeds, each_run
from allpay.outcome import TOLERANCE, Outcome, fields_of
from allpay.payoffs import evaluate, exploitability


@dataclass(frozen=True)
class EpsilonGreedy:
    """Independent epsilon-greedy bandits, one arm per bid and one bandit per value (Sutton & Barto 2018, chapter 2).

    For the first `exploration` auctions bids are uniform over the allowed ones (epsilon is 1). Afterwards epsilon is ½ and
    halves every `halving` auctions. An estimate is the sample average of the utility that a bid has brought at a value.

    When exploration ends, what was seen of each bid counts as one observation (`restart`): the rivals of that phase bid at
    random and are gone, and thousands of observations of them would outweigh what the bidder sees from then on.

    This is the schedule of the public code behind the experiment that `allpay reproduce` repeats. Where that code differs:
    its estimate divides by one more than the count, which pulls estimates of rare bids to zero; every loser tied for second
    place pays, where ties here are broken at random; and its seed has no effect.

    Attributes:
        iterations: how many auctions a run has.
        exploration: how many of them explore.
        halving: after how many further auctions epsilon halves.
        restart: whether exploration counts as one observation of each bid when it ends.
        tail: the last auctions, over which realised revenue is averaged.
        tolerance: exploitability relative to the stake up to which a run counts as converged.
    """

    iterations: int = 2_000_000
    exploration: int = 400_000
    halving: int = 10_000
    restart: bool = True
    tail: int = 50_000
    tolerance: float | None = None

    name: ClassVar[str] = "epsilon-greedy"
    setting: ClassVar[Setting] = Setting(Private(levels=10), bid_levels=10, overbidding=False)
    continuous: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise AllpayError(f"iterations must be at least 1: got {self.iterations}")
        if self.exploration < 0:
            raise AllpayError(f"exploration must not be negative: got {self.exploration}")
        if self.exploration >= self.iterations:
            raise AllpayError(
                f"exploration must be shorter than the run: got {self.exploration} of {self.iterations} auctions"
            )
        if self.halving < 1:
            raise AllpayError(f"halving must be at least 1: got {self.halving}")
        if self.tail < 1:
            raise AllpayError(f"tail must be at least 1: got {self.tail}")
        if self.tolerance is not None and not self.tolerance > 0:
            raise AllpayError(f"tolerance must be above 0: got {self.tolerance:g}")

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        tail = min(self.tail, self.iterations - self.exploration)
        tables = {id(game): _utilities(game) for game in games}

        def run(game: Game, seed: np.uint64):  # type: ignore[no-untyped-def]
            n, values, bids = game.bidders, len(game.value_grid), game.bid_levels
            greedy = np.zeros((CHECKPOINTS, n, values), np.int64)
            realised = _epsilon_greedy(
                seed,
                tables[id(game)],
                game.allowed,
                np.asarray(game.mechanism.payments),
                game.bid_grid,
                self.iterations,
                self.exploration,
                self.halving,
                self.restart,
                tail,
                greedy,
            )
            snapshots = (greedy[..., None] == np.arange(bids)).astype(float)
            history = np.array([exploitability(game, snapshot).mean() for snapshot in snapshots])
            return snapshots[-1], evaluate(game, snapshots[-1]), realised, history

        runs = each_run(run, games, seeds)
        return Outcome(
            games=tuple(games),
            learner=self.name,
            strategy=np.array([[r[0] for r in row] for row in runs]),
            **fields_of([[r[1] for r in row] for row in runs]),
            realised_revenue=np.array([[r[2][0] for r in row] for row in runs]),
            realised_highest_bid=np.array([[r[2][1] for r in row] for row in runs]),
            history=np.array([[r[3] for r in row] for row in runs]),
            iterations=np.full(seeds.shape, self.iterations),
            auctions=seeds.size * self.iterations,
            tolerance=self.tolerance or TOLERANCE,
        )


def _utilities(game: Game) -> Array:
    """`[values, bids, bidders]` the utility of a value and bid at each rank."""
    prizes, payments = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments)
    return game.utility(game.value_grid[:, None, None] * prizes - game.costs[None, :, None] * payments)


@njit(nogil=True, cache=True, error_model="numpy")
def _epsilon_greedy(  # type: ignore[no-untyped-def]
    state, utilities, allowed, payments, bids, iterations, exploration, halving, restart, tail, greedy
):
    """Run the auctions; fill greedy `[checkpoints, bidders, values]`; return mean revenue and highest bid of the tail."""
    n = len(payments)
    values, levels = utilities.shape[:2]
    estimate = np.zeros((n, values, levels))
    count = np.zeros((n, values, levels))
    value, bid, key = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)

    for _ in range(exploration):
        for i in range(n):
            state += GOLDEN
            bits = word(state)
            value[i] = high_index(bits, values)
            bid[i] = low_index(bits, allowed[value[i]])
            state += GOLDEN
            key[i] = bid_key(bid[i], word(state), i, n)
        for i in range(n):
            # While all bids are random nobody asks for the averages: sums will do.
            estimate[i, value[i], bid[i]] += utilities[value[i], bid[i], rank_of(i, key, n)]
            count[i, value[i], bid[i]] += 1.0

    best = np.zeros((n, values), np.int64)
    runner_up = np.zeros((n, values))  # at least the estimate of every bid but the best
    for i in range(n):
        for v in range(values):
            for b in range(allowed[v]):
                if count[i, v, b] > 0:
                    estimate[i, v, b] /= count[i, v, b]
                    if restart:
                        count[i, v, b] = 1.0
            best[i, v], runner_up[i, v] = _two_best(estimate[i, v, : allowed[v]], best[i, v])

    revenue = highest = 0.0
    start = iterations - tail
    epsilon = 0.5
    checkpoint = 0
    t = exploration
    while t < iterations:
        # A stretch in which epsilon stays the same, nothing is recorded, and auctions are all in the tail or all before it.
        stop = min(iterations, exploration + ((t - exploration) // halving + 1) * halving)
        stop = start if t < start < stop else stop
        record = exploration + (checkpoint + 1) * (iterations - exploration) // len(greedy)
        stop = min(stop, max(record, t + 1))
        threshold = uint64(epsilon * 2.0**32)  # type: ignore[call-overload]
        paid = top = 0.0
        for _ in range(t, stop):
            highest_bid = 0
            for i in range(n):
                state += GOLDEN
                bits = word(state)
                value[i] = high_index(bits, values)
                bid[i] = best[i, value[i]]
                key[i] = bid_key(bid[i], bits, i, n)
                if threshold > 0:
                    state += GOLDEN
                    bits = word(state)
                    if (bits >> uint64(32)) < threshold:
                        bid[i] = low_index(bits, allowed[value[i]])
                        state += GOLDEN
                        key[i] = bid_key(bid[i], word(state), i, n)
                highest_bid = max(highest_bid, bid[i])
            top += bids[highest_bid]
            for i in range(n):
                r = rank_of(i, key, n)
                v, b = value[i], bid[i]
                paid += payments[r] * bids[b]
                count[i, v, b] += 1.0
                new = estimate[i, v, b] + (utilities[v, b, r] - estimate[i, v, b]) / count[i, v, b]
                estimate[i, v, b] = new
                if b == best[i, v]:
                    if new < runner_up[i, v]:
                        best[i, v], runner_up[i, v] = _two_best(estimate[i, v, : allowed[v]], best[i, v])
                elif new > estimate[i, v, best[i, v]]:
                    runner_up[i, v] = estimate[i, v, best[i, v]]
                    best[i, v] = b
                elif new > runner_up[i, v]:
                    runner_up[i, v] = new
        if t >= start:
            revenue += paid
            highest += top
        if (t - exploration) // halving != (stop - exploration) // halving:
            epsilon /= 2
        t = stop
        while checkpoint < len(greedy) and t >= exploration + (checkpoint + 1) * (iterations - exploration) // len(
            greedy
        ):
            greedy[checkpoint] = best
            checkpoint += 1
    return revenue / tail, highest / tail


@njit(inline="always")
def _two_best(row, best):  # type: ignore[no-untyped-def]
    """The index of the largest number of a row, and the second largest number.

    Among equals `best` stays, else it is the first: what a bidder plays never depends on how old a runner-up is.
    """
    first, second = row[best], -np.inf
    start = best
    for b in range(len(row)):
        if row[b] > first:
            second = first
            first = row[b]
            best = b
        elif row[b] > second and b != start:
            second = row[b]
    return best, second
