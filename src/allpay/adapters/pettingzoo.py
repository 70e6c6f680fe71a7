"""A game as a PettingZoo environment: all bidders are agents. How an auction is decided is in `auction`."""

from typing import Any

import numpy as np

try:
    from gymnasium.spaces import Box, Dict, Discrete, Space
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: install PettingZoo with pip install 'allpay[pettingzoo]'") from None

from allpay.adapters.seat import index_of, number_of
from allpay.contest.auction import settle
from allpay.contest.game import Game, check_simple
from allpay.errors import AllpayError
from allpay.scalars import whole


class AuctionEnv(ParallelEnv[str, Any, Any]):
    """Independent auctions of one game: in a step every bidder makes a bid for the value that it has just observed.

    An agent, `bidder_0` and so on, observes its value divided by the highest one: a `Box` of shape (1,) in [0, 1]. Where not
    every bid is allowed, this is the entry `observation` of a `Dict`, and `action_mask` says which bids are. An action is
    the index of a bid of the grid. The reward is the utility that the auction brought; its mean is
    `payoffs.expected_payoffs`. After a step the info of an agent says what the auction was for it, in money: `value`, `bid`,
    `payment`; and `rank`, 0 for the highest bid.

    Args:
        game: who bids for what.
        rounds: auctions in an episode, each with new values. After the last one the observation says nothing new.
        continuous: an action is a number in [0, 1] instead, `Box` of shape (1,): the bid as a part of the highest that the
            bidder may make. Bids then need not lie on the grid.

    Raises:
        AllpayError: if rounds are below 1, or an action is missing or not allowed.
    """

    metadata = {"name": "allpay_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012  # as PettingZoo has it
    render_mode = None

    def __init__(self, game: Game, rounds: int = 1, continuous: bool = False) -> None:
        check_simple(game, "the PettingZoo environment")
        rounds = whole("rounds", rounds)
        if rounds < 1:
            raise AllpayError(f"rounds must be at least 1: got {rounds}")
        self.game, self.rounds, self.continuous = game, rounds, continuous
        self.possible_agents = [f"bidder_{i}" for i in range(game.bidders)]
        self.agents: list[str] = []
        self._masked = not continuous and bool(np.any(game.allowed < game.bid_levels))
        self.observation_spaces = {agent: self._observation_space() for agent in self.possible_agents}
        self.action_spaces = {agent: self._action_space() for agent in self.possible_agents}
        self._random: np.random.Generator | None = None
        self._value = np.zeros(game.bidders, np.int64)
        self._played = 0

    def observation_space(self, agent: str) -> Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        if seed is not None or self._random is None:
            self._random = np.random.default_rng(seed)
        self.agents, self._played = self.possible_agents[:], 0
        self._value = self._random.integers(len(self.game.value_grid), size=self.game.bidders)
        return self._observations(), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.agents or self._random is None:
            raise AllpayError("the episode is over: call reset() before step()")
        agents, game = self.agents, self.game
        missing = [agent for agent in agents if agent not in actions]
        if missing:
            raise AllpayError(f"every bidder must bid: there is no action of {', '.join(missing)}")
        bids = np.array([self._bid(i, actions[agent]) for i, agent in enumerate(agents)])
        ties = self._random.random(game.bidders)
        settled = settle(game, game.value_grid[self._value], bids, ties)
        infos = {
            agent: {
                "value": float(game.value_grid[self._value[i]]),
                "bid": float(bids[i]),
                "payment": float(settled.payment[i]),
                "rank": int(settled.rank[i]),
            }
            for i, agent in enumerate(agents)
        }
        self._played += 1
        over = self._played == self.rounds
        if over:
            self.agents = []
        else:
            self._value = self._random.integers(len(game.value_grid), size=game.bidders)
        rewards = {agent: float(settled.utility[i]) for i, agent in enumerate(agents)}
        return self._observations(), rewards, dict.fromkeys(agents, over), dict.fromkeys(agents, False), infos

    def _observation_space(self) -> Space[Any]:
        value = Box(0.0, 1.0, (1,), np.float32)
        if self._masked:
            return Dict({"observation": value, "action_mask": Box(0, 1, (self.game.bid_levels,), np.int8)})
        return value

    def _action_space(self) -> Space[Any]:
        return Box(0.0, 1.0, (1,), np.float32) if self.continuous else Discrete(self.game.bid_levels)

    def _bid(self, i: int, action: Any) -> float:
        """The bid that an action of bidder i stands for, in money."""
        game, value = self.game, self._value[i]
        if self.continuous:
            part = number_of(action, f"bidder_{i}")
            if not 0 <= part <= 1:
                raise AllpayError(f"an action must lie in [0, 1]: got {part!r} of bidder_{i}")
            return part * highest_bid(game, game.value_grid[value])
        index = index_of(action, f"bidder_{i}")
        if not 0 <= index < game.allowed[value]:
            raise AllpayError(
                f"an action must lie in 0…{game.allowed[value] - 1} at the value {game.value_grid[value]:g}: got {index} "
                f"of bidder_{i}; its action_mask says which bids are allowed"
            )
        return float(game.bid_grid[index])

    def _observations(self) -> dict[str, Any]:
        game = self.game
        seen = (game.value_grid[self._value] / game.values.highest).astype(np.float32)[:, None]
        if not self._masked:
            return dict(zip(self.possible_agents, seen, strict=True))
        masks = (np.arange(game.bid_levels) < game.allowed[self._value][:, None]).astype(np.int8)
        return {
            agent: {"observation": seen[i], "action_mask": masks[i]} for i, agent in enumerate(self.possible_agents)
        }


def highest_bid(game: Game, value: float) -> float:
    """The highest bid that a bidder may make, on the grid or between its points."""
    return game.top_bid if game.overbidding else min(float(value), game.top_bid)
