"""One bidder's seat in a game whose rivals keep to a strategy: auctions sampled in batches, and what a policy is worth exactly.

What agents of other libraries need of a game; how they are given it is in `gymnasium` and `stable_baselines3`.
"""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.auction import Settled, closed, settle
from allpay.contest.game import Array, Game, check_simple
from allpay.contest.payoffs import as_strategy, expected_payoffs
from allpay.errors import AllpayError, one_of, short
from allpay.outcome import Outcome
from allpay.theory import equilibrium, on_grid, why_no_equilibrium


class Seat:
    """The place of one bidder against rivals who follow fixed strategies.

    Args:
        game: who bids for what.
        rivals: a strategy `[1 or bidders, values, bids]`; an `Outcome`, for what its first round under this game learned; or
            `equilibrium`, for the closed form of theory put on the grid.
        bidder: which bidder has the seat, from 0; it matters where their strategies differ.

    Raises:
        AllpayError: if the rivals have no such strategy, or there is no such bidder.
    """

    def __init__(self, game: Game, rivals: ArrayLike | Outcome | str = "equilibrium", bidder: int = 0) -> None:
        check_simple(game, "a seat for one bidder")
        if bidder not in range(game.bidders):
            raise AllpayError(f"bidder must lie in 0…{game.bidders - 1}: got {bidder}")
        strategy = strategy_of(game, rivals)
        others = strategy if len(strategy) == 1 else np.delete(strategy, bidder, axis=0)
        self.game, self.bidder = game, bidder
        self._mass = others.mean(axis=1)
        self._cumulative = closed(others)
        self._rows = np.arange(game.bidders - 1) % len(others)

    @cached_property
    def observations(self) -> NDArray[np.float32]:
        """`[values, 1]` what the bidder observes at each of its values: the value, divided by the highest one."""
        return (self.game.value_grid / self.game.values.highest).astype(np.float32)[:, None]

    @cached_property
    def payoffs(self) -> Array:
        """`[values, bids]` the exact expected utility of every bid of the grid against the rivals."""
        return expected_payoffs(self.game, self._mass[0] if len(self._mass) == 1 else self._mass)

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
        if table.shape == (len(game.value_grid),):
            table = np.eye(game.bid_levels)[self.bids(table, np.arange(len(table)))]
        return float(np.sum(as_strategy(game, table[None])[0] * self.payoffs) / len(game.value_grid))

    def may_bid(self, values: NDArray[np.int64]) -> NDArray[np.bool_]:
        """`[…, bids]` which bids are allowed at values with these indices `[…]`."""
        return np.arange(self.game.bid_levels) < self.game.allowed[values, None]

    def bids(self, actions: ArrayLike, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The indices of bids that actions stand for at values with these indices, same shape: an action above what is
        allowed is lowered to it.

        Raises:
            AllpayError: if an action is no index of the bid grid.
        """
        actions = np.asarray(actions)
        fine = (actions >= 0) & (actions < self.game.bid_levels)
        if not np.all(fine):
            raise AllpayError(f"an action must lie in 0…{self.game.bid_levels - 1}: got {actions[~fine].flat[0]}")
        return np.minimum(actions, self.game.allowed[values] - 1).astype(np.int64)

    def draw(self, random: np.random.Generator, auctions: int) -> NDArray[np.int64]:
        """`[auctions]` indices of values for the bidder."""
        return random.integers(len(self.game.value_grid), size=auctions)

    def play(self, random: np.random.Generator, values: NDArray[np.int64], actions: ArrayLike) -> tuple[Settled, Array]:
        """Auctions `[auctions]` in which the bidder has values and takes actions, both as indices, and its rivals play.

        Returns:
            How they end, `[auctions, bidders]` with the bidder in the first place, and all bids in money, likewise. The
            utilities of the rivals are not meant: the bidder's value is counted for them.
        """
        game, shape = self.game, (len(values), self.game.bidders)
        chance, ties = random.random((len(values), game.bidders - 1, 1)), random.random(shape)
        drawn = random.integers(len(game.value_grid), size=(len(values), game.bidders - 1))
        rivals = np.sum(self._cumulative[self._rows, drawn] <= chance, axis=-1)
        bids = game.bid_grid[np.concatenate([self.bids(actions, values)[:, None], rivals], axis=1)]
        return settle(game, game.value_grid[values][:, None], bids, ties), bids


def strategy_of(game: Game, rivals: ArrayLike | Outcome | str) -> Array:
    """`[1 or bidders, values, bids]` the strategies that are meant, see `Seat`."""
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
