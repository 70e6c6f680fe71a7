"""A learner of your own, as `allpay design --learner examples.my_learner:MyLearner` needs it.

Bidders best-respond to what they have seen so far, but only some of them reconsider at a time.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allpay import Private, Setting, expected_payoffs
from allpay.learners import outcome_of, random_strategy


@dataclass(frozen=True)
class MyLearner:
    iterations: int = 600  # fields are hyperparameters: --iterations sets this one, a study file any
    attention: float = 0.5

    name: ClassVar[str] = "my-learner"  # what tables and figures call it
    setting: ClassVar[Setting] = Setting(Private(levels=16), bid_levels=31)  # who bids for what, unless the user says
    continuous: ClassVar[bool] = True  # the bid grid stands for continuous bids

    def learn(self, games, seeds):
        return outcome_of(self, games, seeds, self.run)

    def run(self, game, seed):
        rng, mix = np.random.default_rng(seed), random_strategy(game, seed)  # [values, bids]: chances of each bid
        may = np.arange(game.bid_levels) < game.allowed[:, None]
        for t in range(self.iterations):
            payoffs = expected_payoffs(game, mix.mean(axis=0))  # exact, against rivals who mix likewise
            best = np.eye(game.bid_levels)[np.where(may, payoffs, -np.inf).argmax(axis=1)]
            step = np.where(rng.random(len(mix)) < self.attention, 3 / (t + 4), 0)
            mix = mix + step[:, None] * (best - mix)
            yield mix[None]  # [1, values, bids]: all bidders play alike
