"""Fictitious play: every bidder best-responds to the average of what bidders have played so far.

All bidders share one belief about each group, so that bidders of a group bid alike; payoffs are exact, no auction is sampled
in learning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, Setting
from allpay.contest.payoffs import Payoffs, averages_against, best_responses, mean_regret
from allpay.learners.base import Seeds, check_power, check_self_play, self_play
from allpay.outcome import Goal, Outcome, reached


@dataclass(frozen=True)
class FictitiousPlay:
    """Fictitious play (Brown 1951) with a strategy per value, on the exact payoffs of the grid.

    At iteration t = 1, 2, … the bidders' average strategy x becomes x + (t^α / Σ_{s≤t} s^α)·(BR(x) − x), where BR is the
    pure best response to rivals who play x, the lowest bid among equals. Rounds differ by their initial beliefs: random
    mixtures, drawn from the flat Dirichlet distribution for each value, which count as one iteration.

    Attributes:
        iterations: the most that a run takes.
        weighting: α ≥ 0. 0 is Brown's process, where all iterations count alike; 1 lets early play fade, which leaves
            a third of the exploitability or less with private values, but can double it with common ones (measured:
            `benchmarks/fictitious_play.py`).
        tolerance: stop a run at the first of its checkpoints at which its exploitability relative to the stake is at most
            this; None runs all iterations.
        auctions: how many fresh auctions are sampled with the learned strategies for the realised revenue.
    """

    iterations: int = 3000
    weighting: float = 1.0
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "fictitious-play"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_self_play(self)
        check_power("weighting", self.weighting)

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        def kernel(game: Game, payoffs: Payoffs, strategy: Array, goal: Goal, history: Array) -> int:
            return _fictitious_play(strategy, payoffs, self.iterations, float(self.weighting), goal, history)

        return self_play(self, kernel, games, seeds)


@compiled
def _fictitious_play(strategy, payoffs, iterations, weighting, goal, history):  # type: ignore[no-untyped-def]
    """Turn `strategy` `[groups, values, bids]`, the initial belief, into the average; fill history; return the iterations."""
    groups, terms, bids, values = payoffs.table.shape
    cdf = np.empty(bids + 1)
    averages = np.empty((groups, terms, bids))
    mass = np.zeros((groups, bids))
    best = np.empty(values, np.int64)
    payoff = np.empty(values)
    scratch = np.empty(values)
    for i in range(groups):
        for v in range(values):
            for b in range(bids):
                mass[i, b] += strategy[i, v, b]
    checkpoint = 0
    total = 1.0
    taken = 0
    for t in range(1, iterations + 1):
        averages_against(payoffs, mass, cdf, averages)
        if (t - 1) * len(history) >= checkpoint * iterations and checkpoint < len(history):
            history[checkpoint] = mean_regret(payoffs, averages, strategy)
            checkpoint += 1
            if reached(goal, history[checkpoint - 1], payoffs, averages, strategy):
                break
        weight = float(t) ** weighting
        total += weight
        for i in range(groups):
            best_responses(payoffs, i, averages[i], best, payoff, scratch)
            for v in range(values):
                strategy[i, v, best[v]] += weight
                mass[i, best[v]] += weight
        taken = t
    strategy /= total
    return taken
