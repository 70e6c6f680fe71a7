"""Logit play: fictitious play in which a bidder makes better bids more often instead of the best one always.

All bidders share one belief about each group, so that bidders of a group bid alike; payoffs are exact, no auction is sampled
in learning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, Setting
from allpay.contest.payoffs import Payoffs
from allpay.learners.base import Seeds, check_number, check_power, check_self_play, self_play
from allpay.learners.mixing import softmax, utilities, watch
from allpay.outcome import Goal, Outcome, stake


@dataclass(frozen=True)
class LogitPlay:
    """Smoothed fictitious play (Fudenberg & Levine 1998, chapter 4) with logit responses whose temperature falls.

    At iteration t = 1, 2, … the bidders' average strategy x becomes x + (t^α / Σ_{s≤t} s^α)·(L(x) − x), where with
    u[v, b] the payoff of bid b against rivals who play x

        L(x)[v, b] ∝ exp(u[v, b] / τ_t),     τ_t = temperature · stake / t^cooling.

    At a constant temperature the rest points are the logit equilibria of McKelvey & Palfrey (1995); as it falls to 0 they
    come to an equilibrium, and the faster it falls the more this is fictitious play: a cooling of 1 leaves less
    exploitability with private values, and lets play circle with a common one. Rounds differ by
    their initial beliefs: random mixtures from the flat Dirichlet distribution for each value, which count as one iteration.

    Attributes:
        iterations: the most that a run takes.
        weighting: α ≥ 0: 0 lets all iterations count alike, 1 lets early play fade.
        temperature: of the first iteration, in units of the utility of the top prize at the highest value.
        cooling: power of t by which the temperature falls, ≥ 0.
        tolerance: stop a run when its distance from equilibrium is at most this, looked at every 20
            iterations; None runs all iterations.
        auctions: how many fresh auctions are sampled with the learned strategies for the realised revenue.
    """

    iterations: int = 3000
    weighting: float = 1.0
    temperature: float = 0.4
    cooling: float = 0.75
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "logit-play"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_self_play(self)
        check_number("temperature", self.temperature, 1e-9, 1e9, low="be above 0 and finite")
        check_power("weighting", self.weighting)
        check_number("cooling", self.cooling, 0, 10, low="be at least 0 and finite")

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        def kernel(game: Game, payoffs: Payoffs, strategy: Array, goal: Goal, history: Array) -> int:
            total = strategy.transpose(0, 2, 1).copy()
            hottest = self.temperature * stake(game)

            def advance(start: int, stop: int) -> None:
                _logit_play(total, payoffs, start, stop, float(self.weighting), hottest, float(self.cooling))

            return watch(advance, total, payoffs, strategy, self.iterations, goal, history)

        return self_play(self, kernel, games, seeds)


@compiled
def _logit_play(total, payoffs, start, stop, weighting, hottest, cooling):  # type: ignore[no-untyped-def]
    """Take iterations start + 1 … stop; total `[groups, bids, values]` is the weighted sum of beliefs and responses so far."""
    groups, bids, values = total.shape
    cdf, averages = np.empty(bids + 1), np.empty((groups, len(payoffs.coefficients), bids))
    u, mix = np.empty(total.shape), np.empty(total.shape)
    top = np.empty(values)
    for t in range(start + 1, stop + 1):
        utilities(total, payoffs, cdf, averages, u)
        sharpness = float(t) ** cooling / hottest
        u *= sharpness
        softmax(u, payoffs.allowed, mix, top)
        weight = float(t) ** weighting
        for i in range(groups):
            for b in range(bids):
                for v in range(values):
                    total[i, b, v] += weight * mix[i, b, v]
