"""Regret matching: bidders make each bid in proportion to how much they regret not having made it; the average is learned.

Bidders of a group share one strategy. Payoffs are exact, no auction is sampled to learn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allpay.compiled import compiled
from allpay.contest.game import Array, Game, Setting
from allpay.contest.payoffs import Payoffs
from allpay.learners.base import Seeds, check_power, check_self_play, self_play
from allpay.learners.mixing import utilities, watch
from allpay.outcome import Goal, Outcome


@dataclass(frozen=True)
class RegretMatching:
    """Predictive regret matching⁺ (Farina, Kroer & Sandholm 2021), one regret minimiser per value, in self-play.

    With u_t[v, b] the payoff of bid b against rivals who play x_t, and r_t[v, b] = u_t[v, b] − Σ_c x_t[v, c] u_t[v, c],

        z_t = max(z_{t−1} + r_t, 0),     x_{t+1} ∝ max(z_t + r_t, 0)  for each value,

    the second r_t standing for the regret to come. What is learned is the average of x_t with weights t^averaging. If no
    bid is regretted the strategy of a value stays. Rounds differ by x_1: random mixtures from the flat Dirichlet
    distribution for each value.

    Attributes:
        iterations: the most that a run takes.
        averaging: power of t in the weights of the average: 0 for the plain average, 1 for the linear one.
        tolerance: stop a run when its distance from equilibrium is at most this, looked at every 20
            iterations; None runs all iterations.
        auctions: how many fresh auctions are sampled with the learned strategies for the realised revenue.
    """

    iterations: int = 3000
    averaging: float = 1.0
    tolerance: float | None = None
    auctions: int = 50_000

    name: ClassVar[str] = "regret-matching"
    setting: ClassVar[Setting] = Setting()
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_self_play(self)
        check_power("averaging", self.averaging)

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        def kernel(game: Game, payoffs: Payoffs, strategy: Array, goal: Goal, history: Array) -> int:
            mix = strategy.transpose(0, 2, 1).copy()
            regrets, total = np.zeros(mix.shape), np.zeros(mix.shape)

            def advance(start: int, stop: int) -> None:
                _regret_matching(mix, regrets, total, payoffs, start, stop, float(self.averaging))

            return watch(advance, total, payoffs, strategy, self.iterations, goal, history)

        return self_play(self, kernel, games, seeds)


@compiled
def _regret_matching(mix, regrets, total, payoffs, start, stop, averaging):  # type: ignore[no-untyped-def]
    """Take iterations start + 1 … stop; all three arrays, x, z and the weighted sum of x, are `[groups, bids, values]`."""
    groups, bids, values = mix.shape
    cdf, averages = np.empty(bids + 1), np.empty((groups, len(payoffs.coefficients), bids))
    u, wish = np.empty(mix.shape), np.empty((bids, values))
    mean, scale = np.empty(values), np.empty(values)
    for t in range(start + 1, stop + 1):
        utilities(mix, payoffs, cdf, averages, u)
        weight = float(t) ** averaging
        for i in range(groups):
            mean[:] = 0.0
            for b in range(bids):
                for v in range(values):
                    total[i, b, v] += weight * mix[i, b, v]
                    mean[v] += mix[i, b, v] * u[i, b, v]
            scale[:] = 0.0
            for b in range(bids):
                for v in range(values):
                    may = b < payoffs.allowed[i, v]
                    r = u[i, b, v] - mean[v]
                    regrets[i, b, v] = max(regrets[i, b, v] + r, 0.0) if may else 0.0
                    wish[b, v] = max(regrets[i, b, v] + r, 0.0) if may else 0.0
                    scale[v] += wish[b, v]
            for b in range(bids):
                for v in range(values):
                    if scale[v] > 0.0:
                        mix[i, b, v] = wish[b, v] / scale[v]
