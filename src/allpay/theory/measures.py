"""What an equilibrium brings: ordered bids, entries of a quality, entrants, welfare, by quadrature over its bids.

`InTheory` answers the same questions as `allpay.contest.measures.Played` does for strategies on a grid. Where bidders are
alike, E[b_(k)] = E[N]·∫ b(q) P_k(q) dq, N of whom turn up and P_k(q) the chance that one of quantile q has rank k. Where they
differ, it is ∫ P(at least k bid more than x) dx. What is not known is refused with the reason.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from allpay.contest.bidder import Bidder
from allpay.contest.game import Array, Game
from allpay.contest.measures import SAME_BID, numbers_of
from allpay.contest.preferences import Neutral
from allpay.errors import AllpayError
from allpay.theory.contests import alike, field_of, known_value
from allpay.theory.field import Rivals
from allpay.theory.quantiles import edges_for, in_panels
from allpay.theory.symmetric import Equilibrium, Play

HALVINGS = 60
"""How often an interval of quantiles is halved to find the one that bids so much."""

SPLIT = 4.0 ** -np.arange(1.0, 21.0)
"""Distances from where bids begin, as parts of what is left, at which there are edges of panels: bids may rise like a root."""


@dataclass(frozen=True, eq=False)
class InTheory:
    """What an equilibrium brings.

    Attributes:
        game: the game.
        found: its equilibrium, see `theory.equilibrium`.
    """

    game: Game
    found: Equilibrium

    def revenue(self) -> float:
        return self.found.revenue

    def highest_bid(self) -> float:
        return self.found.highest_bid

    def ranked_bids(self, ranks: int) -> Array:
        if self._bidder is None:
            return self._of_unlike(ranks)
        q, weight = self._nodes
        field = self._field
        return field.expected * (weight * self.found.groups[0].bid_at(q)) @ field.rank_chances(q, ranks)

    def at_least(self, bid: float, ranks: int) -> Array:
        return self._numbers(self._less(bid), ranks)[0]

    def number_at_least(self, bid: float) -> float:
        return float(self._expected @ (1.0 - self._less(bid)[:, 0]))

    def entrants(self) -> float:
        return float(self._expected @ np.array([play.entry for play in self.found.groups]))

    def welfare(self) -> float:
        if not all(isinstance(bidder.utility, Neutral) for bidder, _ in self.game.groups):
            raise AllpayError("theory knows the welfare of risk-neutral bidders only: simulate the designs instead")
        payoffs = np.array([play.payoff for play in self.found.groups])
        return float(self._expected @ payoffs) + self.found.fees

    def ablest_wins(self) -> float:
        wins = self._expected * np.array([play.win for play in self.found.groups])
        known = [known_value(bidder) for bidder, _ in self.game.groups]
        values = [value for value in known if value is not None]
        if len(values) == len(known):
            return float(wins @ (np.array(values) == max(values)))
        if self._bidder is None:
            raise AllpayError(
                "theory does not know how often the ablest of private values that differ wins: simulate it"
            )
        if self.found.pooled_from is not None or self.found.top_bid == 0:
            where = "pool at the cap" if self.found.top_bid > 0 else "are all 0"
            raise AllpayError(f"theory does not know how often the ablest wins where bids {where} and tie: simulate it")
        return float(wins.sum())

    def prizes(self) -> float:
        entry = np.array([play.entry if self.game.mechanism.may_stay_out else 1.0 for play in self.found.groups])
        filled = self._numbers(1.0 - entry[:, None], self.game.bidders)[0]
        return float(filled @ self.game.mechanism.prizes)

    def fees(self) -> float:
        return self.found.fees

    @cached_property
    def _bidder(self) -> Bidder | None:
        return alike(self.game)

    @property
    def _expected(self) -> Array:
        """`[groups]` how many bidders of each turn up."""
        return np.asarray(self.game.counts * self.game.turnout, float)

    @cached_property
    def _field(self) -> Rivals:
        assert self._bidder is not None
        field = field_of(self.game, self._bidder)
        if isinstance(field, str):
            raise AllpayError(f"{field}: simulate the designs instead")
        return field

    @cached_property
    def _nodes(self) -> tuple[Array, Array]:
        """`[nodes]` quantiles and weights for integrals of the bids of bidders who are alike."""
        assert self._bidder is not None
        given = None if known_value(self._bidder) is not None else self._bidder.values.distribution  # type: ignore[union-attr]
        (play, *_), pooled = self.found.groups, self.found.pooled_from
        starts = [] if pooled is None else [pooled]
        if self.game.mechanism.may_stay_out:
            starts += [1 - play.entry, *(1 - play.entry * (1 - SPLIT))]
        inside = [q for q in starts if 0 < q < 1]
        edges = edges_for(self._field.most, given, self.game.risk_aversion, inside)
        q, weight = in_panels(edges)
        return q.ravel(), weight.ravel()

    def _numbers(self, others: Array, ranks: int) -> Array:
        """`[points, ranks]` see `numbers_of`; others `[groups, points]`."""
        return numbers_of(self.game, np.arange(len(self.game.groups)), self.game.counts, others, ranks)

    def _less(self, bid: float) -> Array:
        """`[groups, 1]` the chance to bid less."""
        level = np.array([bid * (1 - SAME_BID)])
        return np.stack([_quantile(play, level, above=False) for play in self.found.groups])

    def _of_unlike(self, ranks: int) -> Array:
        """By the chances that bids exceed x: smooth between the bids at edges of the panels of each group."""
        edges = np.unique(np.concatenate([[0.0], *(play.bid_at(edges_for(2)) for play in self.found.groups)]))
        if len(edges) < 2:
            return np.zeros(ranks)
        x, weight = (part.ravel() for part in in_panels_of(edges))
        at_most = np.stack([_quantile(play, x, above=True) for play in self.found.groups])
        return weight @ self._numbers(at_most, ranks)


def in_panels_of(edges: Array) -> tuple[Array, Array]:
    """Nodes and weights between edges that need not lie in [0, 1]."""
    top = edges[-1]
    x, weight = in_panels(edges / top)
    return x * top, weight * top


def _quantile(play: Play, bids: Array, above: bool) -> Array:
    """`[bids]` the quantile from which on a bidder bids more than each (`above`), or at least as much; 1 if it never does."""
    low, high = np.zeros_like(bids), np.ones_like(bids)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = play.bid_at(middle)
        reached = found > bids if above else found >= bids
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.where(high < 1e-15, 0.0, np.where(high > 1 - 1e-15, 1.0, high))
