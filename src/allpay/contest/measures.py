"""What a profile of strategies brings, exactly on the grid: ordered bids, entries of a quality, entrants, welfare.

How many of those who turn up bid at least b is counted group by group (a sum of binomials), so that every E[b_(k)], the
expected k-th highest bid, follows for all k at once: E[b_(k)] = Σ_b (b − the bid below it)·P(at least k bid b or more).
Nothing is sampled, and no tensor over bidders is made. `Measures` says what can be asked; `Played` answers it from strategies,
`allpay.theory.measures` from an equilibrium.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.compiled import compiled
from allpay.contest.attendance import Field
from allpay.contest.game import Array, Game
from allpay.contest.payoffs import Payoffs, averages_of, by_bidder, payoffs_of, seen
from allpay.contest.ranking import rank_chances

SAME_BID = 1e-12
"""A bid of the grid that falls short of a quality by less than this part of it has it."""


class Measures(Protocol):
    """What can be asked of a game that is played."""

    @property
    def game(self) -> Game: ...

    def revenue(self) -> float:
        """The expected sum of what bidders pay for their ranks, without fees."""
        ...

    def highest_bid(self) -> float:
        """The expected highest bid; 0 where nobody bids."""
        ...

    def ranked_bids(self, ranks: int) -> Array:
        """`[ranks]` E[b_(k)], the expected k-th highest bid of those who turn up, k = 1 … `ranks`; 0 if there is none."""
        ...

    def at_least(self, bid: float, ranks: int) -> Array:
        """`[ranks]` the chance that at least 1, 2, … `ranks` bidders bid so much."""
        ...

    def number_at_least(self, bid: float) -> float:
        """The expected number of bidders who bid so much."""
        ...

    def entrants(self) -> float:
        """The expected number who bid above 0; where bidders may stay out, of those who do not."""
        ...

    def welfare(self) -> float:
        """The expected sum over bidders of the value of what they win, less the cost of what they pay; without fees."""
        ...

    def ablest_wins(self) -> float:
        """The chance that the first is one of those with the highest value among all who turn up."""
        ...

    def prizes(self) -> float:
        """The expected sum of prizes that are handed out."""
        ...

    def fees(self) -> float:
        """The expected sum of fees."""
        ...


@dataclass(frozen=True, eq=False)
class Played:
    """What strategies bring.

    Attributes:
        game: the game.
        strategy: `[groups or bidders, values, bids]` the probability of each bid given the value, see `payoffs.evaluate`.
        known: numbers that have been computed before, by the name of the method.
    """

    game: Game
    strategy: Array
    known: dict[str, float] = field(default_factory=dict)

    def revenue(self) -> float:
        if "revenue" in self.known:
            return self.known["revenue"]
        paid = self._averages(self.game.mechanism.payments)
        return float(self._count * self._turnout @ np.sum(self._mass * paid * self.game.bid_grid, axis=1))

    def highest_bid(self) -> float:
        return self.known["highest_bid"] if "highest_bid" in self.known else float(self.ranked_bids(1)[0])

    def ranked_bids(self, ranks: int) -> Array:
        steps = np.diff(self.game.bid_grid)
        return steps @ numbers_of(self.game, self._kinds, self._count, self._below[:, 1:], ranks)

    def at_least(self, bid: float, ranks: int) -> Array:
        return numbers_of(self.game, self._kinds, self._count, self._less(bid), ranks)[0]

    def number_at_least(self, bid: float) -> float:
        return float(self._count * self._turnout @ (1.0 - self._less(bid)[:, 0]))

    def entrants(self) -> float:
        return float(self._count * self._turnout @ (1.0 - self._mass[:, 0]))

    def welfare(self) -> float:
        game = self.game
        won, paid = self._averages(game.mechanism.prizes), self._averages(game.mechanism.payments)
        values = game.value_grids[self._kinds]
        worth = np.mean(
            values[..., None] * np.asarray(self.strategy), axis=1
        )  # Σ_v v·s(v, b)/V, each bid's share of values
        each = np.sum(worth * won - self._mass * paid * game.cost_grids[self._kinds], axis=1)
        return float(self._count * self._turnout @ each)

    def ablest_wins(self) -> float:
        """A rival of a higher value is taken for one who cannot be beaten, whatever it bids."""
        game, parts = self.game, unbeatable(self._parts)
        values = game.value_grids[self._kinds]
        first = _first(game)
        total = 0.0
        for value in np.unique(values):
            no_better = values <= value
            mass = np.einsum("iv,ivb->ib", no_better / values.shape[1], self.strategy)
            mass = np.append(mass, np.maximum(1.0 - mass.sum(axis=1, keepdims=True), 0.0), axis=1)
            win = averages_of(parts, mass, first)[:, 0, :-1]
            own = np.einsum("iv,ivb->ib", (values == value) / values.shape[1], self.strategy)
            total += float(self._count * self._turnout @ np.sum((own * win)[:, self._out :], axis=1))
        return total

    def prizes(self) -> float:
        won = self._averages(self.game.mechanism.prizes)
        return float(self._count * self._turnout @ np.sum(self._mass * won, axis=1))

    def fees(self) -> float:
        fee = self.game.mechanism.fee
        return fee * self.entrants() if fee else 0.0

    @cached_property
    def _parts(self) -> Payoffs:
        return payoffs_of(self.game, by_bidder(self.game, self.strategy))

    @cached_property
    def _kinds(self) -> NDArray[np.int64]:
        """`[groups or bidders]` to which group each strategy belongs."""
        groups = np.arange(len(self.game.groups))
        return np.repeat(groups, self.game.counts) if by_bidder(self.game, self.strategy) else groups

    @property
    def _count(self) -> NDArray[np.int64]:
        """`[groups or bidders]` how many bidders play each strategy."""
        return np.ones(len(self._kinds), np.int64) if by_bidder(self.game, self.strategy) else self.game.counts

    @property
    def _out(self) -> int:
        return int(self.game.mechanism.may_stay_out)

    @property
    def _turnout(self) -> Array:
        return self.game.turnout[self._kinds]

    @cached_property
    def _mass(self) -> Array:
        """`[groups or bidders, bids]` how likely each bid is."""
        return np.ascontiguousarray(self.strategy, float).mean(axis=1)

    @cached_property
    def _below(self) -> Array:
        """`[groups or bidders, bids]` the chance of less than each bid of the grid."""
        below = np.minimum(np.cumsum(self._mass, axis=1), 1.0)
        return np.concatenate([np.zeros((len(below), 1)), below[:, :-1]], axis=1)

    def _less(self, bid: float) -> Array:
        """`[groups or bidders, 1]` the chance to bid less."""
        place = int(np.searchsorted(self.game.bid_grid, bid * (1 - SAME_BID)))
        return self._below[:, place : place + 1] if place < self.game.bid_levels else np.ones((len(self._below), 1))

    def _averages(self, by_rank: ArrayLike) -> Array:
        """`[groups or bidders, bids]` what each bid can expect of numbers by rank; 0 for staying out."""
        rows = seen(self.game, np.asarray(by_rank, float)[None])
        found = averages_of(self._parts, self._mass, rows)[:, 0]
        found[:, : self._out] = 0.0
        return found


def _first(game: Game) -> Array:
    """`[1, bidders]` 1 for the first rank, as one who turns up sees it."""
    first = np.zeros((1, game.bidders))
    first[0, 0] = 1.0
    return seen(game, first)


def unbeatable(parts: Payoffs) -> Payoffs:
    """The same with one more bid, which beats all others: for averages of the bids that there were, against rivals of whom some
    cannot be beaten."""
    old = parts.ranking
    last = old.lower.shape[-1]

    def longer(table: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        return np.append(table, np.full((*table.shape[:-1], 1), number), axis=-1)

    ranking = old._replace(
        lower=longer(old.lower, last),
        upper=longer(old.upper, last + 1),
        below=np.append(old.below, np.zeros_like(old.below[:, :1]), axis=1),
        density=np.ascontiguousarray(np.append(old.density, np.zeros_like(old.density[..., :1]), axis=2)),
    )
    return parts._replace(ranking=ranking)


def numbers_of(game: Game, kinds: NDArray[np.int64], counts: NDArray[np.int64], others: ArrayLike, ranks: int) -> Array:
    """The chance that of those who turn up at least 1, 2, … have something that each bidder has by its own chance.

    Args:
        game: who turns up.
        kinds: `[rows]` of which group the bidders of each row are.
        counts: `[rows]` how many they are.
        others: `[rows, points]` the chance that a bidder does not have it.
        ranks: up to how many are counted.

    Returns:
        `[points, ranks]`.
    """
    q = np.ascontiguousarray(np.asarray(others, float).T)
    out = np.empty((len(q), ranks))
    if isinstance(game.attendance, Field):
        assert game.field is not None
        _of_field(counts, game.presence[kinds], q, game.field.among(game.bidders), out)
    else:
        _of_each(counts, np.minimum(game.turnout[kinds], 1.0), q, out)
    return out


@compiled
def _of_each(counts, presence, q, out):  # type: ignore[no-untyped-def]
    """Fill out `[points, ranks]` where each turns up by a chance of its own."""
    ranks = out.shape[1]
    chances, scratch = np.empty(ranks), np.empty(ranks)
    for p in range(len(q)):
        rank_chances(counts, presence, -1, -1, q[p], ranks, chances, scratch)
        left = 1.0
        for k in range(ranks):
            left -= chances[k]
            out[p, k] = max(left, 0.0)


@compiled
def _of_field(counts, presence, q, field, out):  # type: ignore[no-untyped-def]
    """Fill out `[points, ranks]` where N bidders turn up with chance field[N], each set of them equally likely.

    If all n are there, `chances` says how many have it. Of N, one taken away at random has it with probability i/N if i do: so
    the numbers among N − 1 follow from those among N, from sums of positive terms alone.
    """
    n, ranks = len(field) - 1, out.shape[1]
    chances, scratch = np.empty(n + 1), np.empty(n + 1)
    for p in range(len(q)):
        rank_chances(counts, presence, -1, -1, q[p], n + 1, chances, scratch)
        out[p] = 0.0
        for present in range(n, 0, -1):
            if field[present] > 0.0:
                left = 1.0
                for k in range(min(ranks, present)):
                    left -= chances[k]
                    out[p, k] += field[present] * max(left, 0.0)
            for i in range(present):
                chances[i] = chances[i] * (1.0 - i / present) + chances[i + 1] * ((i + 1.0) / present)
            chances[present] = 0.0
