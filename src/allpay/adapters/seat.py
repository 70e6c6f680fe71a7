"""One bidder's seat in a game whose rivals keep to a strategy: auctions sampled in batches, and what a policy is worth exactly.

What agents of other libraries need of a game; how they are given it is in `gymnasium` and `stable_baselines3`.
"""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.auction import Settled, closed, settle, turn_up
from allpay.contest.game import Array, Game, check_expected_utility, check_game
from allpay.contest.payoffs import as_strategy, expected_payoffs
from allpay.errors import AllpayError, one_of, short
from allpay.outcome import Outcome
from allpay.theory import equilibrium, on_grid, why_no_equilibrium


class Seat:
    """The place of one bidder against rivals who follow fixed strategies.

    Where bidders may be absent, this one is there, and its rivals as often as one who is there can expect.

    Args:
        game: who bids for what.
        rivals: a strategy `[groups or bidders, values, bids]`; an `Outcome`, for what its first round under this game learned;
            or `equilibrium`, for the closed form of theory put on the grid.
        bidder: which bidder has the seat, from 0, those of a group beside each other.

    Raises:
        AllpayError: if the rivals have no such strategy, or there is no such bidder.
    """

    def __init__(self, game: Game, rivals: ArrayLike | Outcome | str = "equilibrium", bidder: int = 0) -> None:
        check_game(game)
        check_expected_utility("a seat", game)
        if bidder not in range(game.bidders):
            raise AllpayError(f"bidder must lie in 0…{game.bidders - 1}: got {bidder}")
        strategy = strategy_of(game, rivals)
        which = groups_by_bidder(game)
        self.game, self.bidder, self.group = game, bidder, int(which[bidder])
        self.bid_levels = bid_levels_of(game, self.group)
        self._strategy = strategy
        self._cumulative = closed(strategy)
        self._rows = np.delete(which if len(strategy) == len(game.groups) else np.arange(game.bidders), bidder)
        self._grids = game.value_grids[which]

    @cached_property
    def observations(self) -> NDArray[np.float32]:
        """`[values, 1]` what the bidder observes at each of its values: the value, divided by the highest it can have."""
        return observed_values(self.game, self.group)[:, None]

    @cached_property
    def payoffs(self) -> Array:
        """`[values, bids]` the exact expected utility of every bid of the grid against the rivals, given that it is there."""
        game, mass = self.game, self._strategy.mean(axis=1)
        if len(mass) == game.bidders:  # its own row, which is not looked at, stands first in its group
            mass = np.insert(
                np.delete(mass, self.bidder, axis=0), int(game.counts[: self.group].sum()), mass[0], axis=0
            )
        return expected_payoffs(game, mass, self.group)

    @cached_property
    def best_response(self) -> NDArray[np.int64]:
        """`[values]` the index of the best bid at each value, the lowest of equals."""
        return np.where(self.may_bid(np.arange(len(self.payoffs))), self.payoffs, -np.inf).argmax(axis=1)

    @cached_property
    def best_response_payoff(self) -> float:
        """The most that any policy can expect, exactly, in units of utility."""
        return self.payoff_of(self.best_response)

    def payoff_of(self, policy: ArrayLike) -> float:
        """The exact expected utility of a policy.

        Args:
            policy: `[values]` the index of the bid that is made at each value, as of `observations`; or `[values, bids]`
                probabilities.

        Raises:
            AllpayError: if the shape does not fit, an index is no bid, or a row is not a probability vector.
        """
        game, table = self.game, np.asarray(policy)
        values = game.value_levels
        if table.shape == (values,):
            table = np.eye(game.bid_levels)[self.bids(table, np.arange(values))]
        if table.shape != (values, game.bid_levels):
            raise AllpayError(
                f"a policy must have the shape ({values},) or ({values}, {game.bid_levels}): got {table.shape}"
            )
        profile = np.zeros((len(game.groups), *table.shape), table.dtype)
        profile[:, :, 0] = 1
        profile[self.group] = table
        return float(np.sum(as_strategy(game, profile)[self.group] * self.payoffs) / values)

    def may_bid(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`[…, own bids]` which bids are allowed at values with these indices `[…]`."""
        return np.arange(self.bid_levels) < self.game.limits[self.group][values, None]

    def bids(self, actions: ArrayLike, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The indices of bids that actions stand for at values with these indices, same shape: an action above what is
        allowed is lowered to it.

        Raises:
            AllpayError: if an action is no index of the bidder's bids.
        """
        actions = np.asarray(actions)
        fine = (actions >= 0) & (actions < self.bid_levels)
        if not np.all(fine):
            raise AllpayError(f"an action must lie in 0…{self.bid_levels - 1}: got {actions[~fine].flat[0]}")
        return np.minimum(actions, self.game.limits[self.group][values] - 1).astype(np.int64)

    def draw(self, random: np.random.Generator, auctions: int) -> NDArray[np.int64]:
        """`[auctions]` indices of values for the bidder."""
        return random.integers(self.game.value_levels, size=auctions)

    def play(self, random: np.random.Generator, values: NDArray[np.int64], actions: ArrayLike) -> tuple[Settled, Array]:
        """Auctions `[auctions]` in which the bidder has values and takes actions, both as indices, and its rivals play.

        Returns:
            How they end, and all bids in money; both `[auctions, bidders]`.
        """
        game, shape, at = self.game, (len(values), self.game.bidders), self.bidder
        chance, ties = random.random((len(values), game.bidders - 1, 1)), random.random(shape)
        drawn = random.integers(game.value_levels, size=(len(values), game.bidders - 1))
        rivals = np.sum(self._cumulative[self._rows, drawn] <= chance, axis=-1)
        bid = np.insert(rivals, at, self.bids(actions, values), axis=1)
        money = self._grids[np.arange(game.bidders), np.insert(drawn, at, values, axis=1)]
        enters = turn_up(game, len(values), random, bidder=at)
        if game.mechanism.may_stay_out:
            enters &= bid > 0
        luck = game.mechanism.success.noise(random, shape)
        bids = game.bid_grid[bid]
        return settle(game, money, bids, ties, luck, enters), bids


def info_of(game: Game, settled: Settled, bids: Array, value: float, at: int | tuple[int, ...]) -> dict[str, Any]:
    """What an auction was for the bidder whose place in the arrays is `at`, in money, and its rank; None without one."""
    rank = int(settled.rank[at])
    return {
        "value": float(value),
        "bid": float(bids[at]),
        "payment": float(settled.payment[at]),
        "fee": float(settled.fee[at]),
        "rank": rank if rank < game.bidders else None,
    }


def groups_by_bidder(game: Game) -> NDArray[np.int64]:
    """`[bidders]` the group of each."""
    return np.repeat(np.arange(len(game.groups)), game.counts)


def bid_levels_of(game: Game, group: int) -> int:
    """How many bids of the grid, from 0 up, a bidder of a group has: those up to its cap."""
    cap = game.groups[group][0].max_bid
    return game.bid_levels if cap is None else int(np.sum(game.bid_grid <= cap * (1 + 1e-12)))


def observed_values(game: Game, group: int) -> NDArray[np.float32]:
    """`[values]` what a bidder of a group observes of each of its values: the value, divided by the highest it can have."""
    return (game.value_grids[group] / game.groups[group][0].values.highest).astype(np.float32)


def strategy_of(game: Game, rivals: ArrayLike | Outcome | str) -> Array:
    """`[groups or bidders, values, bids]` the strategies that are meant, see `Seat`."""
    if isinstance(rivals, Outcome):
        if game not in rivals.games:
            raise AllpayError("the outcome is of other games: give one of this game, as allpay.learn(game, learner)")
        return as_strategy(game, rivals.strategy[rivals.games.index(game), 0])
    if isinstance(rivals, str):
        one_of("kind of rivals", rivals, ("equilibrium",))
        found = equilibrium(game)
        if found is None:
            raise AllpayError(
                f"theory knows no equilibrium of this game, for {why_no_equilibrium(game)}; "
                "give a strategy, or an outcome, as allpay.learn(game, InteriorPoint())"
            )
        return on_grid(game, found)
    return as_strategy(game, rivals)


def number_of(action: Any, agent: str) -> float:
    """The number that an agent gives as its action, also where it comes as an array of one.

    Raises:
        AllpayError: if it is none, or not finite.
    """
    try:
        number = float(np.asarray(action).item())
    except (TypeError, ValueError, OverflowError):
        raise AllpayError(f"an action must be one number: got {short(action)} of {agent}") from None
    if not math.isfinite(number):
        raise AllpayError(f"an action must be a finite number: got {number} of {agent}")
    return number


def index_of(action: Any, agent: str) -> int:
    """The index of a bid that an agent gives as its action.

    Raises:
        AllpayError: if it is no whole number.
    """
    number = number_of(action, agent)
    if not number.is_integer():
        raise AllpayError(f"an action must be the index of a bid, a whole number: got {number!r} of {agent}")
    return int(number)
