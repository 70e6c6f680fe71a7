"""What all learners share: the protocol they follow, the seeds of their runs, and the threads that the runs take.

A learner that is one compiled loop over a run needs no batch dimension inside: runs are independent, so each is one call
that releases the interpreter lock. What a run computes cannot depend on the batch it is in, nor on the number of threads.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from allpay.errors import AllpayError
from allpay.game import Game, Setting
from allpay.outcome import Outcome

Seeds = NDArray[np.uint64]
Result = TypeVar("Result")

CHECKPOINTS = 32
"""How many times along a run exploitability is recorded."""


class Learner(Protocol):
    """A way to learn how to bid: hyperparameters as fields of a frozen dataclass, and one method."""

    name: ClassVar[str]
    """The name that the command line and the tables use."""

    setting: ClassVar[Setting]
    """The setting that it is given where the user asks for no other."""

    continuous: ClassVar[bool]
    """Whether the bid grid stands for continuous bids, and can be refined, or is a part of the bidders' world."""

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        """Let bidders learn in every game.

        Args:
            games: `[designs]` games of one shape: as many bidders, values and bids each.
            seeds: `[designs, rounds]` one per run; equal seeds give equal runs, in any batch.
        """
        ...


def run_seeds(seed: int, designs: int | Sequence[int], rounds: int, stream: int = 0) -> Seeds:
    """`[designs, rounds]` seeds of runs, each a function of (seed, stream, design, round) alone.

    Args:
        seed: the user's seed, ≥ 0.
        designs: how many designs, or their indices.
        rounds: how many rounds.
        stream: another stream gives other seeds: what a study trains on and what checks it must not share one.
    """
    if seed < 0:
        raise AllpayError(f"seed must be at least 0: got {seed}")
    indices = range(designs) if isinstance(designs, int) else designs
    return np.array(
        [
            [
                np.random.SeedSequence(seed, spawn_key=(stream, d, r)).generate_state(1, np.uint64)[0]
                for r in range(rounds)
            ]
            for d in indices
        ],
        np.uint64,
    ).reshape(len(indices), rounds)


def learn(game: Game, learner: Learner, rounds: int = 10, seed: int = 0) -> Outcome:
    """Independent rounds of learning in one game; the outcome's first dimension has length 1."""
    if rounds < 1:
        raise AllpayError(f"rounds must be at least 1: got {rounds}")
    return learner.learn([game], run_seeds(seed, 1, rounds))


def each_run(function: Callable[[Game, np.uint64], Result], games: Sequence[Game], seeds: Seeds) -> list[list[Result]]:
    """`function(game, seed)` for every run, `[designs][rounds]`, on as many threads as there are cores.

    Raises:
        AllpayError: if the games are not of one shape, or there is not one row of seeds for each.
    """
    if seeds.ndim != 2 or len(seeds) != len(games):
        raise AllpayError(
            f"seeds must be [designs, rounds], one row per game: got {seeds.shape} for {len(games)} games"
        )
    shapes = {(game.bidders, len(game.value_grid), game.bid_levels) for game in games}
    if len(shapes) > 1:
        raise AllpayError(f"games of one batch must have as many bidders, values and bids each: got {sorted(shapes)}")
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            futures = [
                [threads.submit(function, game, seed) for seed in row] for game, row in zip(games, seeds, strict=True)
            ]
            return [[future.result() for future in row] for row in futures]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
