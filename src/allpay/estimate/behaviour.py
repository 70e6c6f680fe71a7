"""Models of how people bid, held against bids that were seen: likelihood, fit, and how well a fit foretells other contests."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from allpay.contest.attitudes import Disappointment, Prelec
from allpay.contest.bidder import Bidder
from allpay.contest.game import Array, Game, check_game
from allpay.contest.payoffs import as_strategy
from allpay.contest.preferences import Cara, Crra, LossAverse
from allpay.errors import AllpayError, one_of, short
from allpay.frozen import ByValue
from allpay.learners.logit_equilibrium import LogitEquilibrium, cells
from allpay.outcome import stake
from allpay.scalars import whole

SLIPS = 1e-6
"""The part of bids that models take to be made at random, so that no bid is impossible."""

FIRST = 9
"""So many amounts of noise are tried before the best of them is improved on."""

AS_GOOD = 0.05
"""Models whose log likelihoods are so near count as equally good: what one has more adds nothing."""

FOLDS = 5
"""Into how many parts contests go, each foretold from the others."""

ABOVE = 1e-9
"""The part by which a bid may pass the highest that is allowed: rounding."""


@dataclass(frozen=True, eq=False)
class Bids(ByValue):
    """Bids that were seen in contests with the rules of one game, a number for each bid.

    Attributes:
        bid: `[bids]` what was bid.
        value: `[bids]` what the prize was worth to its bidder; None where that is not known, or known to all.
        group: `[bids]` which group of the game its bidder is of.
        contest: `[bids]` in which contest it was made.
    """

    bid: Array
    value: Array | None = None
    group: NDArray[np.int64] | None = None
    contest: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        bid = np.asarray(self.bid, float)
        if bid.ndim != 1 or not len(bid) or not np.all(np.isfinite(bid)) or np.any(bid < 0):
            raise AllpayError(f"bids must be a list of finite numbers of at least 0: got {short(self.bid)}")
        object.__setattr__(self, "bid", bid)
        for name, kind in (("value", float), ("group", np.int64), ("contest", np.int64)):
            given = getattr(self, name)
            if given is not None:
                if np.shape(given) != bid.shape:
                    raise AllpayError(f"there must be a {name} for each of {len(bid)} bids: got {np.shape(given)}")
                object.__setattr__(self, name, np.asarray(given, kind))

    def some(self, which: NDArray[np.bool_]) -> "Bids":
        """Those bids."""
        parts = (self.bid, self.value, self.group, self.contest)
        return Bids(*(None if part is None else part[which] for part in parts))  # type: ignore[arg-type]


def loglikelihoods(game: Game, strategy: ArrayLike, bids: Bids, slips: float = 0.0) -> Array:
    """`[bids]` the logarithm of how likely each bid is under a strategy: of a density, per unit of money.

    A bid of the grid stands for those around it, as in `LogitEquilibrium`; a value is taken for the nearest of the grid that is
    known of its group, and where none is told, all are as likely.

    Args:
        game: in which they were made.
        strategy: `[groups, values, bids]`.
        bids: what was seen.
        slips: the part of bids that are made at random, in proportion to what bids stand for.

    Raises:
        AllpayError: if a bid is above all that the game allows, a group is none of its own, or bidders may stay out.
    """
    check_game(game)
    x = as_strategy(game, strategy)
    if len(x) != len(game.groups):
        raise AllpayError("a strategy for each group is needed, not one for each bidder")
    if game.mechanism.may_stay_out:
        raise AllpayError(
            "the likelihood of bids is not known where bidders may stay out: who did is not among the bids"
        )
    top = game.top_bid
    if bids.bid.max() > top * (1 + ABOVE):
        raise AllpayError(
            f"bids must be at most {top:g}, the highest of the game: got {bids.bid.max():g}; give it a higher max_bid"
        )
    group = np.zeros(len(bids.bid), np.int64) if bids.group is None else bids.group
    if group.min() < 0 or group.max() >= len(game.groups):
        raise AllpayError(f"groups must lie in 0 … {len(game.groups) - 1}: got {group.min()} to {group.max()}")
    weights, _ = cells(game)
    step = game.bid_grid[1]
    width = weights * step
    at_random = weights / weights.sum(axis=1, keepdims=True)
    chance = (1 - slips) * x.transpose(0, 2, 1) + slips * at_random
    density = np.divide(chance, width, out=np.zeros(chance.shape), where=width > 0)  # [groups, bids, values]
    cell = np.minimum(np.floor(bids.bid / step + 0.5).astype(int), game.bid_levels - 1)
    with np.errstate(divide="ignore"):
        if bids.value is None:
            return np.asarray(np.log(density.mean(axis=2)[group, cell]))
        nearest = np.abs(game.value_grids[group] - bids.value[:, None]).argmin(axis=1)
        # the highest bid that a value allows lies in the cell of the last bid that it may make
        own = np.minimum(cell, game.limits[group, nearest] - 1)
        return np.asarray(np.log(density[group, own, nearest]))


@dataclass(frozen=True)
class Model:
    """A model of behaviour with numbers to fit.

    Attributes:
        parameters: what they are called; the first is the noise, in units of payoff.
        first: where the search begins for the others.
        bounds: of the others.
        bidder: from a bidder, what it can lose at most, and the others to the bidder who is like that.
        strategy: `[groups, values, bids]` of a game of such bidders, from the noise and the others.
        words: what it is, for the user.
    """

    parameters: tuple[str, ...]
    first: tuple[float, ...]
    bounds: tuple[tuple[float, float], ...]
    bidder: Callable[..., Bidder]
    strategy: Callable[..., Array]
    words: str

    def game(self, game: Game, numbers: Sequence[float]) -> Game:
        """The game of people of this kind, with the same bids."""
        if not self.first:
            return game
        most = [float(np.asarray(bidder.cost.cost(np.array([game.top_bid])))[0]) for bidder, _ in game.groups]
        groups = tuple(
            (self.bidder(bidder, lost, *numbers), count)
            for (bidder, count), lost in zip(game.groups, most, strict=True)
        )
        usual: dict[str, Any] = {"cost_power": 1.0, "risk_aversion": 0.0, "overbidding": True}
        return replace(game, values=groups, max_bid=game.top_bid, **usual)


def _logit(game: Game, discrete: bool, noise: float, *_: float) -> Array:
    return LogitEquilibrium(noise, discrete).solve(game).strategy


def _level_k(game: Game, discrete: bool, noise: float, level: float) -> Array:
    """Those of level 0 bid at random, of level k answer to level k − 1 by logit; a mean level between two is some of each."""
    below = math.floor(level)
    answer, played = LogitEquilibrium(noise, discrete), _at_random(game)
    for _ in range(below):
        played = answer.response(game, played.mean(axis=1))
    above = answer.response(game, played.mean(axis=1))
    return (1 - (level - below)) * played + (level - below) * above


def _hierarchy(game: Game, discrete: bool, noise: float, tau: float) -> Array:
    """Levels in the proportions of a Poisson distribution of mean τ, each of which answers by logit to all lower ones."""
    answer, believed = LogitEquilibrium(noise, discrete), _at_random(game)
    share = total = math.exp(-tau)
    for k in range(1, math.ceil(tau + 5 * math.sqrt(tau) + 3)):
        share *= tau / k
        total += share
        believed = believed + share / total * (answer.response(game, believed.mean(axis=1)) - believed)
    return believed


def _at_random(game: Game) -> Array:
    """`[groups, values, bids]` of those who do not think."""
    weights, _ = cells(game)
    return np.ascontiguousarray((weights / weights.sum(axis=1, keepdims=True)).transpose(0, 2, 1))


def _same(bidder: Bidder, *_: float) -> Bidder:
    return bidder


MODELS: Mapping[str, Model] = {
    "logit": Model(("noise",), (), (), _same, _logit, "logit equilibrium: better bids are made more often"),
    "joy": Model(
        *(("noise", "joy"), (0.1,), ((0.0, 3.0),)),
        *(lambda bidder, _, joy: replace(bidder, joy=joy), _logit),
        "logit, and winning is a joy beside the prize",
    ),
    "averse": Model(
        *(("noise", "averse"), (0.5,), ((1e-3, 10.0),)),
        *(lambda bidder, _, rho: replace(bidder, utility=Cara(rho)), _logit),
        "logit, and constant absolute risk aversion",
    ),
    "crra": Model(
        *(("noise", "relative"), (0.5,), ((1e-3, 10.0),)),
        *(lambda bidder, most, gamma: replace(bidder, utility=Crra(gamma, 2 * most)), _logit),
        "logit, and constant relative risk aversion, at a wealth of twice what the highest bid costs",
    ),
    "losses": Model(
        *(("noise", "losses"), (1.5,), ((0.1, 10.0),)),
        *(lambda bidder, _, times: replace(bidder, utility=LossAverse(times)), _logit),
        "logit, and losses count so many times",
    ),
    "prelec": Model(
        *(("noise", "prelec"), (0.8,), ((0.2, 2.0),)),
        *(lambda bidder, _, a: replace(bidder, attitude=Prelec(a)), _logit),
        "logit, and small chances count for more (Prelec)",
    ),
    "disappointment": Model(
        *(("noise", "disappointment"), (0.3,), ((1e-3, 1.0),)),
        *(lambda bidder, _, dread: replace(bidder, attitude=Disappointment(dread)), _logit),
        "logit, and outcomes below the expected one hurt",
    ),
    "level-k": Model(
        *(("noise", "level"), (1.2,), ((0.0, 4.0),), _same, _level_k),
        "steps of thinking: each answers, with errors, to those who think one step less",
    ),
    "hierarchy": Model(
        *(("noise", "mean level"), (1.2,), ((0.05, 8.0),), _same, _hierarchy),
        "steps of thinking: each answers, with errors, to all who think less (cognitive hierarchy)",
    ),
}
"""Models by name: logit equilibria of bidders who care for money alone, or also for something else, and steps of thinking.
Where the search for joy and aversion begins, and its bounds, are told in units of the highest value."""

_PER_VALUE = {"joy": 1.0, "averse": -1.0}
"""The power of the highest value that a parameter is in units of; the noise has the first."""


@dataclass(frozen=True, eq=False)
class Fit(ByValue):
    """A model fitted to bids.

    Attributes:
        model: its name.
        parameters: what was found, by name, in the money of the game.
        errors: their standard errors, from the curvature of the likelihood; NaN at a bound.
        loglikelihood: of all bids at these numbers.
        held_out: the sum over parts of the contests of the log likelihood of their bids under the fit to all others; NaN with
            fewer than two contests.
        bids: how many.
        at_bounds: the parameters that lie at an end of where they are sought, by name, and which: `lowest` or `highest`. The
            likelihood may ask for more beyond.
    """

    model: str
    parameters: Mapping[str, float]
    errors: Mapping[str, float]
    loglikelihood: float
    held_out: float
    bids: int
    at_bounds: Mapping[str, str] = field(default_factory=dict)


def fit_behaviour(
    game: Game | Sequence[Game],
    bids: Bids | Sequence[Bids],
    models: Sequence[str] = ("logit",),
    folds: int = FOLDS,
    discrete: bool = False,
    advance: Callable[[float, float], None] = lambda done, total: None,
) -> tuple[Fit, ...]:
    """Fit models of behaviour to bids by maximum likelihood, the one first that best foretells contests it has not seen.

    Args:
        game: the rules, and what is known of bidders; or several, in which people are the same.
        bids: what was seen in it, or in each.
        models: names of `MODELS`.
        folds: into how many parts the contests go for `Fit.held_out`; 0 for no such parts. Without contests each bid is one.
        discrete: whether only the bids of the grid could be made, see `LogitEquilibrium`.
        advance: is told how far it is.

    Raises:
        AllpayError: if there is no such model, or bids do not fit the game.
    """
    folds = whole("folds", folds)
    for name in models:
        one_of("model of behaviour", name, MODELS)
    games = [game] if isinstance(game, Game) else list(game)
    seen = [bids] if isinstance(bids, Bids) else list(bids)
    if len(games) != len(seen) or not games:
        raise AllpayError(f"there must be bids for each of {len(games)} games: got {len(seen)}")
    data = _Data(games, seen, discrete)
    parts = data.parts(folds)
    found = []
    for number, name in enumerate(models):
        point, best = _fitted(name, data)
        held_out = np.nan
        if parts:
            held_out = 0.0
            for k, part in enumerate(parts):
                near, _ = _fitted(name, data.some([~chosen for chosen in part]), point)
                held_out -= _loss(near, name, data.some(part))
                advance(number + (k + 1) / (len(parts) + 1), len(models))
        errors = _errors(point, name, data)
        told = dict(zip(MODELS[name].parameters, _in_money(point, name, games[0]), strict=True))
        scale = dict(zip(MODELS[name].parameters, errors, strict=True))
        found.append(Fit(name, told, scale, -best, held_out, data.bids_in_all, _at_bounds(point, name)))
        advance(number + 1, len(models))
    return tuple(_best_first(found, [fit.held_out if parts else fit.loglikelihood for fit in found]))


def _best_first(found: Sequence[Fit], scores: Sequence[float]) -> list[Fit]:
    """Fits by their log likelihoods; of those that are as good as the best, the one with fewest numbers comes first."""
    order = sorted(zip(found, scores, strict=True), key=lambda row: -row[1])
    as_good = [row for row in order if row[1] > order[0][1] - AS_GOOD]
    first = min(as_good, key=lambda row: len(row[0].parameters))
    return [first[0], *(row[0] for row in order if row is not first)]


@dataclass(frozen=True, eq=False)
class _Data:
    """Games and the bids that were seen in each."""

    games: Sequence[Game]
    bids: Sequence[Bids]
    discrete: bool

    @property
    def bids_in_all(self) -> int:
        return sum(len(bids.bid) for bids in self.bids)

    def parts(self, folds: int) -> list[list[NDArray[np.bool_]]]:
        """Into which the contests go: for each part, which bids of each game are of it."""
        if folds < 2:
            return []
        numbers = []
        before = 0
        for bids in self.bids:
            contest = np.arange(len(bids.bid)) if bids.contest is None else bids.contest
            _, number = np.unique(contest, return_inverse=True)
            numbers.append(number + before)
            before += int(number.max()) + 1
        if before < 2:
            return []
        return [[number % folds == fold for number in numbers] for fold in range(min(folds, before))]

    def some(self, which: Sequence[NDArray[np.bool_]]) -> "_Data":
        """Those bids, and the games that have some."""
        kept = [
            (game, bids.some(chosen))
            for game, bids, chosen in zip(self.games, self.bids, which, strict=True)
            if chosen.any()
        ]
        return _Data([game for game, _ in kept], [bids for _, bids in kept], self.discrete)


def _in_money(point: Array, name: str, game: Game) -> list[float]:
    """The numbers of a point, whose first is the logarithm of the noise over the stake, in the money of the game."""
    names = MODELS[name].parameters
    high = game.highest_value
    return [
        float(np.exp(point[0])) * stake(game),
        *(float(p) * high ** _PER_VALUE.get(n, 0.0) for p, n in zip(point[1:], names[1:], strict=True)),
    ]


NOISES = (1e-3, 1e2)
"""Noise is sought between these, in units of the stake."""

NEAR_BOUND = 2e-3
"""A number this near to a bound, as a part of its range, lies at it: the search ends no nearer."""


def _bounds(name: str) -> tuple[Array, Array]:
    """`[parameters]` the lowest and the highest numbers of a point."""
    low, high = np.array([(np.log(NOISES[0]), np.log(NOISES[1])), *MODELS[name].bounds]).T
    return low, high


def _at_bounds(point: Array, name: str) -> dict[str, str]:
    """The parameters of a point that lie at a bound, and at which."""
    low, high = _bounds(name)
    near = NEAR_BOUND * (high - low)
    ends = [(below, above) for below, above in zip(point - low <= near, high - point <= near, strict=True)]
    names = MODELS[name].parameters
    return {
        n: "lowest" if below else "highest" for n, (below, above) in zip(names, ends, strict=True) if below or above
    }


def _loss(point: Array, name: str, data: _Data) -> float:
    """Minus the log likelihood of bids at a point."""
    model = MODELS[name]
    numbers = _in_money(point, name, data.games[0])
    lost = 0.0
    for game, bids in zip(data.games, data.bids, strict=True):
        played = model.game(game, numbers[1:])
        strategy = model.strategy(played, data.discrete, *numbers)
        lost -= float(loglikelihoods(game, strategy, bids, SLIPS).sum())
    return lost


def _fitted(name: str, data: _Data, near: Array | None = None) -> tuple[Array, float]:
    """The point of the highest likelihood, and the loss there; from a near one, or the best of some amounts of noise."""
    model = MODELS[name]
    low, high = _bounds(name)

    def loss(point: Array) -> float:
        return _loss(np.clip(point, low, high), name, data)

    step = 0.2
    if near is None:
        tries = [np.array([log, *model.first]) for log in np.linspace(np.log(0.01), np.log(3.0), FIRST)]
        near = min(tries, key=loss)
    else:
        step = 0.05
    done = minimize(
        loss,
        near,
        method="Nelder-Mead",
        bounds=list(zip(low, high, strict=True)),
        options={
            "xatol": 1e-3,
            "fatol": 1e-4 if step == 0.2 else 1e-2,
            "initial_simplex": near + np.vstack([0 * near, np.diag(step + 0 * near)]),
        },
    )
    return np.clip(done.x, low, high), float(done.fun)


def _errors(point: Array, name: str, data: _Data) -> list[float]:
    """Standard errors of the numbers of a point, in the money of the game, from second differences of the loss."""
    size = len(point)
    step = np.full(size, 0.02)
    curvature = np.empty((size, size))

    def loss(moved: Array) -> float:
        return _loss(point + moved, name, data)

    try:
        for i in range(size):
            for j in range(i + 1):
                a, b = np.eye(size)[i] * step[i], np.eye(size)[j] * step[j]
                second = loss(a + b) - loss(a - b) - loss(b - a) + loss(-a - b)
                curvature[i, j] = curvature[j, i] = second / (4 * step[i] * step[j])
        inverse = np.linalg.inv(curvature)
    except (AllpayError, np.linalg.LinAlgError, ValueError):  # a step leads out of bounds, or the likelihood is flat
        return [np.nan] * size
    spread = np.sqrt(np.where(np.diag(inverse) > 0, np.diag(inverse), np.nan))
    unit = np.array(_in_money(np.array([point[0], *np.ones(size - 1)]), name, data.games[0]))
    return [float(s) for s in spread * unit]
