"""Do bidders of past contests bid as models say? Theory at known values, and models of behaviour, fitted and compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.preferences import PowerCost
from allpay.contest.success import Highest, Success
from allpay.contest.values import Common, Discrete, Private
from allpay.errors import AllpayError
from allpay.estimate.behaviour import MODELS, Bids, Fit, fit_behaviour
from allpay.estimate.past import Contests
from allpay.scalars import above_zero
from allpay.theory import equilibrium

Array = NDArray[np.float64]

MOST_KINDS = 6
"""Models are fitted to so many kinds of contests at most, those with most bids."""

VALUE_LEVELS = 12
"""Values that differ are summed up by so many quantiles."""

BID_LEVELS = 41
"""Bids on the grid of models."""

FOLDS = 4

WORTH = (1e-5, 1e9)
"""Between these values can be, so that noise in proportion to them can be computed with."""


@dataclass(frozen=True)
class Beside:
    """Bids of one kind of contest beside theory at the values that are known.

    Attributes:
        bidders, prizes: of the kind; prizes are parts of the purse.
        contests, bids: how many.
        observed: the mean bid.
        theory: the mean bid in equilibrium; None where there is no formula.
        error: the standard error of the observed one, over contests.
    """

    bidders: int
    prizes: tuple[float, ...]
    contests: int
    bids: int
    observed: float
    theory: float | None
    error: float


@dataclass(frozen=True, eq=False)
class FittedModels:
    """Models of behaviour fitted to past contests, and theory beside them.

    Attributes:
        fits: the one first that best foretells contests left out.
        kinds: theory kind by kind, those with most bids first.
        left_out: kinds of contests to which models were not fitted.
        folds: into so many parts contests went.
        bids: how many models were fitted to.
        highest: bid that models allow.
        values: `the column`, or what all prizes are worth to everybody.
        cost_power: of bids.
    """

    fits: tuple[Fit, ...]
    kinds: tuple[Beside, ...]
    left_out: int
    folds: int
    bids: int
    highest: float
    values: str
    cost_power: float

    @property
    def exact(self) -> bool:
        """Whether bids scatter less than the least noise of the model that foretells them best, so that none is told apart."""
        return bool(self.fits) and self.fits[0].at_bounds.get("noise") == "lowest"


def fit_models(
    contests: Contests,
    models: Sequence[str] = tuple(MODELS),
    *,
    value: float | None = None,
    cost: PowerCost | None = None,
    max_bid: float | None = None,
    luck: Success | None = None,
    folds: int = FOLDS,
    advance: Callable[[float, float], None] = lambda done, total: None,
) -> FittedModels:
    """Models of behaviour, each fitted to the bids of past contests by maximum likelihood, and theory beside them.

    Args:
        contests: what was bid, for which prizes, at which values.
        models: names of `MODELS`.
        value: what the whole purse was worth to everybody, where the contests do not tell values.
        cost: of a bid; b itself if not given.
        max_bid: the highest bid that was allowed; what anybody may want to bid, or was seen to, if not given.
        luck: that had a part in ranks.
        folds: into how many parts contests go, each foretold from the others.
        advance: is told how far it is.

    Raises:
        AllpayError: if values are not known, or known twice; or a bid is above the cap.
    """
    paying = PowerCost() if cost is None else cost
    rows = contests.there
    if (contests.value is None) == (value is None):
        raise AllpayError(
            "models are fitted where it is known what prizes were worth: give a column of values, or one value for all as "
            "--value 1"
            if value is None
            else "values are told by a column of the table, and one is given for all: leave one of them out"
        )
    if contests.value is not None:
        rows = rows & ~np.isnan(contests.value)
        if not rows.any():
            raise AllpayError("the column of values is empty: fill it in, or give one value for all as --value 1")
    worth = None if value is None else above_zero("--value", value)
    wants = Common(worth) if worth is not None else _drawn(np.asarray(contests.value)[rows])
    if not WORTH[0] <= wants.highest <= WORTH[1]:
        raise AllpayError(
            f"the highest value must be from {WORTH[0]:g} to {WORTH[1]:g}: got {wants.highest:.4g}; "
            "give bids and values in other units"
        )
    games, seen, kinds = list[Game](), list[Bids](), list[Beside]()
    purse = float(contests.prizes.sum(axis=1).mean())
    _, kind_of = np.unique(np.column_stack([contests.registered, contests.prizes]), axis=0, return_inverse=True)
    counts = np.bincount(kind_of[contests.contest[rows]])
    there = float(contests.there.mean())
    top = _top(contests, rows, wants, purse, paying, max_bid)
    for k in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]:
        own = rows & (kind_of[contests.contest] == k)
        first = int(np.flatnonzero(kind_of == k)[0])
        n = int(contests.registered[first])
        prizes = np.zeros(n)
        won = np.trim_zeros(contests.prizes[first], "b") / purse
        prizes[: len(won)] = won[:n]
        rules = Mechanism(tuple(prizes.tolist()), (1.0,) * n, success=Highest() if luck is None else luck)
        free = Game(rules, wants, cost_power=paying.power, bid_levels=BID_LEVELS, attendance=there, max_bid=10 * top)
        bid, contest = contests.bid[own], contests.contest[own]
        kinds.append(_beside(free, bid, contest, tuple(won.tolist())))
        if len(games) < MOST_KINDS:
            games.append(
                Game(rules, wants, cost_power=paying.power, bid_levels=BID_LEVELS, attendance=there, max_bid=top)
            )
            told = None if worth is not None else np.asarray(contests.value)[own]
            seen.append(Bids(bid, told if isinstance(wants, Private) else None, contest=contest))
    fits = fit_behaviour(games, seen, models, folds, advance=advance) if models else ()
    return FittedModels(
        fits=fits,
        kinds=tuple(kinds),
        left_out=len(kinds) - len(games),
        folds=folds,
        bids=sum(len(one.bid) for one in seen),
        highest=top,
        values="the column" if worth is None else repr(worth),
        cost_power=paying.power,
    )


def _drawn(values: Array) -> Private | Common:
    """Where values that are known came from, by their quantiles; common if they are all the same."""
    if values.max() <= 0:
        raise AllpayError("no value is above 0, so that nobody had anything to win: correct the column of values")
    if values.max() - values.min() <= 1e-9 * values.max():
        return Common(float(values[0]))
    q = (np.arange(VALUE_LEVELS) + 0.5) / VALUE_LEVELS
    return Private(Discrete(tuple(np.quantile(values, q, method="inverted_cdf").tolist())))


def _top(
    contests: Contests,
    rows: NDArray[np.bool_],
    wants: Private | Common,
    purse: float,
    cost: PowerCost,
    cap: float | None,
) -> float:
    """The highest bid that models allow."""
    most = float(contests.bid[rows].max())
    if cap is None:
        first = float(contests.prizes[:, 0].max()) / purse
        return max(most, float(cost.bid(wants.highest * first)))
    if most > above_zero("max bid", cap) * (1 + 1e-9):
        raise AllpayError(f"max bid must be at least the highest bid of the table, {most:g}: got {cap:g}")
    return max(cap, most)


def _beside(game: Game, bid: Array, contest: NDArray[np.int64], prizes: tuple[float, ...]) -> Beside:
    """The mean bid beside theory."""
    _, number, counts = np.unique(contest, return_inverse=True, return_counts=True)
    mean = float(bid.mean())
    off = np.bincount(number, bid - mean)  # by contest, whose bids may hang together
    error = float(np.sqrt(np.sum(off**2)) / len(bid)) if len(counts) > 1 else float("nan")
    exact = equilibrium(game)
    theory = None if exact is None else exact.revenue / (game.bidders * float(game.turnout[0]))
    return Beside(game.bidders, prizes, len(counts), len(bid), mean, None if theory is None else float(theory), error)
