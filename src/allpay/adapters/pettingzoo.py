"""A game as a PettingZoo environment: all bidders are agents. How an auction is decided is in `auction`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from allpay.versions import to_install

try:
    from gymnasium.spaces import Box, Dict, Discrete, Space
    from pettingzoo import ParallelEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: install PettingZoo {to_install('pettingzoo')}") from None

from allpay.adapters.seat import bid_levels_of, groups_by_bidder, index_of, info_of, number_of, observed_values
from allpay.contest.auction import settle, turn_up
from allpay.contest.game import Game, check_expected_utility, check_game
from allpay.errors import AllpayError
from allpay.scalars import whole


class AuctionEnv(ParallelEnv[str, Any, Any]):
    """Independent auctions of one game: in a step every bidder makes a bid for the value that it has just observed.

    An agent, `bidder_0` and so on, those of a group beside each other, observes its value divided by the highest it can have:
    a `Box` of shape (1,) in [0, 1]. Where not all bids are allowed at every value, this is the entry `observation` of a `Dict`,
    and `action_mask` says which bids are. An action is the index of a bid of the grid, up to the bidder's own cap; where
    bidders may stay out, action 0 does. The reward is the utility that the auction brought; its mean is that of
    `payoffs.evaluate`. After a step the info of an agent says what the auction was for it, in money: `value`, `bid`, `payment`,
    `fee`; and `rank`, 0 for the first, None for one who is not ranked, since it stayed out.

    Where bidders may be absent, a reset draws who is there, and only they are agents until the next one. A draw of nobody is
    drawn again: there would be no auction.

    Args:
        game: who bids for what.
        rounds: auctions in an episode, each with new values. After the last one the observation says nothing new.
        continuous: an action is a number in [0, 1] instead, `Box` of shape (1,): the bid as a part of the highest that the
            bidder may make. Bids then need not lie on the grid; one of 0 stays out where bidders may, and so does one below
            the reserve.

    Raises:
        AllpayError: if rounds are below 1, or an action is missing or not allowed.
    """

    metadata = {"name": "allpay_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012  # as PettingZoo has it
    render_mode = None

    def __init__(self, game: Game, rounds: int = 1, continuous: bool = False) -> None:
        check_game(game)
        check_expected_utility("an environment", game)
        rounds = whole("rounds", rounds)
        if rounds < 1:
            raise AllpayError(f"rounds must be at least 1: got {rounds}")
        self.game, self.rounds, self.continuous = game, rounds, continuous
        self.possible_agents = [f"bidder_{i}" for i in range(game.bidders)]
        self.agents: list[str] = []
        self._group = groups_by_bidder(game)
        self._levels = [bid_levels_of(game, i) for i in range(len(game.groups))]
        self._masked = not continuous and bool(np.any(game.limits < np.array(self._levels)[:, None]))
        self._seen = [observed_values(game, i) for i in range(len(game.groups))]
        kinds = [self._spaces_of(i) for i in range(len(game.groups))]
        self.observation_spaces, self.action_spaces = (
            {agent: kinds[i][part] for agent, i in zip(self.possible_agents, self._group, strict=True)}
            for part in (0, 1)
        )
        self._random: np.random.Generator | None = None
        self._there = np.zeros(game.bidders, bool)
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
        self._there, self._played = self._who_is_there(self._random), 0
        self.agents = [self.possible_agents[i] for i in np.flatnonzero(self._there)]
        self._value = self._random.integers(self.game.value_levels, size=self.game.bidders)
        return self._observations(self.agents), {agent: {} for agent in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        if not self.agents or self._random is None:
            raise AllpayError("the episode is over: call reset() before step()")
        agents, game = self.agents, self.game
        missing = [agent for agent in agents if agent not in actions]
        if missing:
            raise AllpayError(f"every bidder must bid: there is no action of {', '.join(missing)}")
        places = np.flatnonzero(self._there).tolist()
        bids, enters = np.zeros(game.bidders), np.zeros(game.bidders, bool)
        for i, agent in zip(places, agents, strict=True):
            bids[i], enters[i] = self._bid(i, actions[agent])
        ties = self._random.random(game.bidders)
        values = game.value_grids[self._group, self._value]
        settled = settle(game, values, bids, ties, game.mechanism.success.noise(self._random, bids.shape), enters)
        infos = {agent: info_of(game, settled, bids, values[i], i) for i, agent in zip(places, agents, strict=True)}
        self._played += 1
        over = self._played == self.rounds
        if over:
            self.agents = []
        else:
            self._value = self._random.integers(game.value_levels, size=game.bidders)
        rewards = {agent: float(settled.utility[i]) for i, agent in zip(places, agents, strict=True)}
        return self._observations(agents), rewards, dict.fromkeys(agents, over), dict.fromkeys(agents, False), infos

    def _who_is_there(self, random: np.random.Generator) -> NDArray[np.bool_]:
        """`[bidders]` who is there, at least one."""
        for tries in (1, 100, 10_000):
            there = turn_up(self.game, tries, random)
            found = np.flatnonzero(there.any(axis=1))
            if len(found):
                return there[found[0]]
        raise AllpayError("next to nobody ever turns up: give a higher attendance")

    def _spaces_of(self, group: int) -> tuple[Space[Any], Space[Any]]:
        """What a bidder of a group observes, and does."""
        value, levels = Box(0.0, 1.0, (1,), np.float32), self._levels[group]
        masked = Dict({"observation": value, "action_mask": Box(0, 1, (levels,), np.int8)})
        action = Box(0.0, 1.0, (1,), np.float32) if self.continuous else Discrete(levels)
        return masked if self._masked else value, action

    def _bid(self, i: int, action: Any) -> tuple[float, bool]:
        """The bid that an action of bidder i stands for, in money, and whether it does not stay out."""
        game, group, value = self.game, self._group[i], self._value[i]
        out, worth = game.mechanism.may_stay_out, game.value_grids[group, value]
        if self.continuous:
            part = number_of(action, f"bidder_{i}")
            if not 0 <= part <= 1:
                raise AllpayError(f"an action must lie in [0, 1]: got {part!r} of bidder_{i}")
            return part * highest_bid(game, group, worth), not out or part > 0
        index, allowed = index_of(action, f"bidder_{i}"), game.limits[group, value]
        if not 0 <= index < allowed:
            raise AllpayError(
                f"an action must lie in 0…{allowed - 1} at the value {worth:g}: got {index} of bidder_{i}; its action_mask "
                "says which bids are allowed"
            )
        return float(game.bid_grid[index]), not out or index > 0

    def _observations(self, agents: list[str]) -> dict[str, Any]:
        observed: dict[str, Any] = {}
        for i, agent in zip(np.flatnonzero(self._there), agents, strict=True):
            group, value = self._group[i], self._value[i]
            seen = self._seen[group][value : value + 1].copy()
            if self._masked:
                mask = np.arange(self._levels[group]) < self.game.limits[group, value]
                observed[agent] = {"observation": seen, "action_mask": mask.astype(np.int8)}
            else:
                observed[agent] = seen
        return observed


def highest_bid(game: Game, group: int, value: float) -> float:
    """The highest bid that a bidder of a group may make, on the grid or between its points."""
    bidder = game.groups[group][0]
    top = game.top_bid if bidder.max_bid is None else min(bidder.max_bid, game.top_bid)
    return top if bidder.overbidding else min(float(value), top)
