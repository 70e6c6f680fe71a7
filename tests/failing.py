"""Learners that fail, or say that they need not begin again, where spawned processes and Dask workers find them too."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar

from allpay.contest.game import Setting
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy


class Unpicklable(Exception):
    """An error that cannot be made again where it travels to."""

    def __init__(self, one, two):
        super().__init__(f"{one} and\n{two}")


@dataclass(frozen=True)
class Failing:
    """Fails in its own way where the first weight is above a bound; learns as epsilon-greedy bidders do elsewhere."""

    way: str = "own"
    bound: float = 0.95

    name: ClassVar[str] = "failing"
    setting: ClassVar[Setting] = Setting(Private(levels=5), bid_levels=5)
    continuous: ClassVar[bool] = False

    def learn(self, games, seeds):
        if any(game.mechanism.prizes[0] > self.bound for game in games):
            if self.way == "dies":
                os._exit(1)
            raise {
                "own": Unpicklable("this", "that"),
                "memory": MemoryError("unable to allocate 9 GiB"),
                "allpay": AllpayError("iterations must be fewer: got 9; give 8"),
            }[self.way]
        found = EpsilonGreedy(iterations=2000, exploration=500, tail=100).learn(games, seeds)
        return replace(found, learner=self.name)


@dataclass(frozen=True)
class Resumable:
    """Keeps nothing, but says of itself that it does, and what it was given to do it."""

    name: ClassVar[str] = "resumable"
    setting: ClassVar[Setting] = Failing.setting
    continuous: ClassVar[bool] = False
    resumable: ClassVar[bool] = True

    def learn(self, games, seeds, checkpoint=None):
        if checkpoint is not None:
            checkpoint.write_text("begun")
        return replace(Failing(bound=1.0).learn(games, seeds), learner=self.name)
