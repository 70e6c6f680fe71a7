"""What a study is: the designs to try, the bidders who learn under each, and how often. Running it is in `sweep`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from allpay.contest.amounts import Amounts, plainly_money, weights_in
from allpay.contest.bidder import kinds_of_values, levels_of
from allpay.contest.game import Array, Game, Setting
from allpay.contest.mechanism import RULES, Mechanism, check_bidders, complete_weights
from allpay.errors import AllpayError, one_of, short
from allpay.frozen import Stateful, asked, derived
from allpay.learners import FictitiousPlay, Learner
from allpay.learners.base import check_count, check_learner, check_room, check_rounds, check_seed
from allpay.memory import check_memory
from allpay.objectives import Objective, objective
from allpay.scalars import plain_fields, whole
from allpay.simplex import (
    MOST_SOBOL,
    SAMPLINGS,
    Box,
    OrderedSimplex,
    Polytope,
    grid,
    opening,
    spread,
    too_many_ranks,
)
from allpay.study.identity import written

REGIONS = ("simplex", "box")
"""Where weights lie: nonincreasing and of sum 1, or each anywhere in [0, 1]."""

STRATEGIES = ("sample", "active")
"""How designs are found: all before any is simulated, or in batches, by what the ones before have brought."""

FEWEST_FIRST, FEWEST_NEXT, GROWTH = 8, 4, 8
"""The first batch of an active study has at least so many designs, and two for each corner of a simplex of as many
dimensions; each further one has at least so many, or one for every so many designs before it."""

MOST_SAMPLES = 100_000_000
"""More designs than this are refused."""

COLUMNS, COPIES = 12, 2
"""The table of a study has so many columns beside its weights, and so many copies while it is put together."""

_DESIGNS, TRAINING, CHECKING, CHOOSING, LOOKING, FRONT, WORLDS = range(7)
"""Streams of random numbers under a study's seed. What is trained on, what is looked at
again and what checks the result never share one."""


@dataclass(frozen=True)
class DesignSpace(Stateful):
    """The designs under one rule: weights of the first `ranks` ranks, nothing on the others.

    On the `simplex` weights are nonincreasing and sum to 1, under either rule. In the `box`, for `payments` alone, each
    fraction of a bid that a rank pays is free in [0, 1]: prizes share one prize, but there is no such sum that ranks pay. Nor
    are payments in any order there: the mechanism needs none, and losers who pay more than the winner are a case that
    designers know (the sad-loser auction of Riley & Samuelson 1981).

    Attributes:
        rule: `prizes` or `payments`, see `mechanism`.
        bidders: n.
        ranks: m, how many ranks may carry weight; without it all in the box, and on the simplex all but the last, or both of
            two. With n = 3 the simplex is (w, 1−w, 0) for w in [½, 1].
        region: `simplex` or `box`.
        first_at_most, first_at_least: bounds on the weight of the first rank; on the simplex, one of them at most.
        last_at_least: the least weight of rank m.

    Raises:
        AllpayError: if one of these is out of its bounds, or they leave no design.
    """

    rule: str = "prizes"
    bidders: int = 3
    ranks: int | None = None
    region: str = "simplex"
    first_at_most: float | None = None
    first_at_least: float | None = None
    last_at_least: float | None = None

    def __post_init__(self) -> None:
        one_of("rule", self.rule, RULES)
        one_of("region", self.region, REGIONS)
        plain_fields(self)
        check_bidders(self.bidders)
        if self.box and self.rule == "prizes":
            raise AllpayError("prizes share one prize, so their weights sum to 1: a box is for the rule payments")
        least = 1 if self.box else 2
        if asked(self.ranks) is None:
            object.__setattr__(self, "ranks", derived(self.bidders if self.box else max(2, self.bidders - 1)))
        if not least <= self.dimension <= self.bidders:
            raise AllpayError(too_many_ranks(self.dimension, self.bidders, least))
        _ = self.polytope  # what is wrong with the bounds is said at once
        for name in ("first_at_most", "first_at_least", "last_at_least"):
            given = getattr(self, name)
            if given is not None and not 0 <= given <= 1:
                raise AllpayError(f"{name} bounds a weight, which is from 0 to 1: got {short(given)}")

    @property
    def dimension(self) -> int:
        """m, how many ranks may carry weight."""
        assert self.ranks is not None
        return self.ranks

    @property
    def box(self) -> bool:
        """Whether the weights are free of each other."""
        return self.region == "box"

    @property
    def line(self) -> bool:
        """Whether the first weight alone says which design it is."""
        return self.polytope.freedom == 1

    @cached_property
    def polytope(self) -> Polytope:
        """The designs as a set of points."""
        m = self.dimension
        if not self.box:
            return OrderedSimplex(self.bidders, m, self.first_at_most, self.first_at_least, self.last_at_least or 0.0)
        low, high = [0.0] * m, [1.0] * m
        low[-1] = self.last_at_least or 0.0
        low[0] = max(low[0], self.first_at_least or 0.0)
        high[0] = 1.0 if self.first_at_most is None else self.first_at_most
        if high[0] > 1:
            raise AllpayError(f"a rank pays at most its whole bid: got a first weight of at most {high[0]:g}")
        return Box(self.bidders, tuple(low), tuple(high))

    def complete(self, weights: float | Sequence[float] | str) -> tuple[float, ...]:
        """The weight of every rank, `[bidders]`; a text gives money, percent or fractions, see `amounts.weights_in`.

        Raises:
            AllpayError: if they are no design under the rule; bounds on the first and last weight are not looked at.
        """
        if isinstance(weights, str):
            if self.box:
                raise AllpayError(f"in a box the part of its bid that each rank pays is a number: got {short(weights)}")
            weights, _ = weights_in(weights, self.rule)
        if not self.box:
            return complete_weights(weights, self.bidders, money=self.rule == "prizes")
        if isinstance(weights, (int, float, Real)):
            raise AllpayError(f"in a box each rank has its own weight: got the one number {weights}")
        try:
            given = tuple(weights)
        except TypeError:
            raise AllpayError(f"weights must be numbers: got {short(weights)}") from None
        if len(given) > self.bidders:
            raise AllpayError(f"too many weights: got {len(given)} for {self.bidders} bidders; give one per bidder")
        alone = (1.0,) + (0.0,) * (self.bidders - 1)
        return Mechanism(alone, given + (0.0,) * (self.bidders - len(given))).payments

    def amounts(self, weights: float | Sequence[float] | str) -> Amounts | None:
        """What weights were given as, if as amounts of money, percent or fractions; None for plain weights."""
        if isinstance(weights, str):
            return weights_in(weights, self.rule)[1]
        if isinstance(weights, (int, float, Real)) or self.rule != "prizes":
            return None
        given = tuple(float(x) for x in weights)
        return Amounts(given, "money") if len(given) > 1 and plainly_money(given) else None

    def mechanism(self, weights: float | Sequence[float] | str) -> Mechanism:
        """The mechanism of a design."""
        if self.box:
            return Mechanism((1.0,) + (0.0,) * (self.bidders - 1), self.complete(weights))
        return Mechanism.from_weights(self.rule, self.complete(weights))

    def sample(self, count: int, seed: int, sampling: str = "uniform") -> Array:
        """`[count, bidders]` designs spread over the space, see `allpay.simplex.spread`; of a grid, at most so many.

        Unless they are a grid, a longer sample begins with the shorter one.
        """
        return spread(self.polytope, whole("count", count), _designs_rng(whole("seed", seed)), sampling)


@dataclass(frozen=True)
class Study(Stateful):
    """Designs drawn from a space, `rounds` independent rounds of learning under each.

    Attributes:
        space: where the designs come from.
        learner: how the bidders learn.
        setting: who bids for what; the learner's usual setting if not given.
        samples: how many designs there are; of a grid, and of an active study, how many at most. What is left of it once the
            study is made is how many there are of a grid, or given.
        rounds: how many times each is learned anew.
        objective: what the best design is best for, see `allpay.objectives.objective`.
        seed: of everything random in it.
        sampling: how the designs are spread, see `allpay.simplex.spread`; `uniform`, and `sobol` in an active study, if not
            given.
        strategy: `sample`, or `active`: after a first batch, designs are chosen by what an ensemble makes of those before.
        precision: an active study stops when the design that it would recommend is expected to lose less than this part of the
            best value; without it, when all samples are used.
        given: designs instead of those drawn, as `complete` of the space takes them; in an active study, its first batch.

    Raises:
        AllpayError: if one of these is out of its bounds or has no effect.
    """

    space: DesignSpace = field(default_factory=DesignSpace)
    learner: Learner = field(default_factory=FictitiousPlay)
    setting: Setting | None = None
    samples: int = 50
    rounds: int = 10
    objective: str = "revenue"
    seed: int = 0
    sampling: str | None = None
    strategy: str = "sample"
    precision: float | None = None
    given: Sequence[float | Sequence[float] | str] | None = None

    def __post_init__(self) -> None:
        for name in ("space", "setting", "samples", "sampling", "given"):
            object.__setattr__(self, name, asked(getattr(self, name)))
        goal = objective(self.objective)
        goal.load()
        object.__setattr__(self, "objective", goal.text)
        one_of("strategy", self.strategy, STRATEGIES)
        check_learner(self.learner)
        if not isinstance(self.space, DesignSpace):
            raise AllpayError(
                f"space must be a DesignSpace: got {short(self.space)}; give one, as DesignSpace('prizes')"
            )
        goal.check(self.space.bidders)
        if not isinstance(self.setting, Setting | None):
            raise AllpayError(
                f"setting must be a Setting: got {short(self.setting)}; leave it out for the learner's own"
            )
        if self.setting is None:
            object.__setattr__(self, "setting", derived(self.learner.setting))
        plain_fields(self)
        if self.given is not None:
            several = isinstance(self.given, Sequence) or (isinstance(self.given, np.ndarray) and self.given.ndim > 0)
            if not several or isinstance(self.given, (str, bytes)):
                raise AllpayError(f"designs are given as a list of weights: got {short(self.given)}")
        check_rounds(self.rounds)
        check_count("samples", self.samples, most=MOST_SAMPLES)
        check_seed(self.seed)
        if self.sampling is None:
            object.__setattr__(self, "sampling", derived("sobol" if self.active else "uniform"))
        one_of("sampling", self.spread_by, SAMPLINGS)
        if self.precision is not None:
            if not self.active:
                raise AllpayError(
                    "precision says when an active study stops: give the strategy active, or leave it out"
                )
            if not 0 < self.precision < 1:
                raise AllpayError(
                    f"precision must be above 0 and below 1, a part of the best value: got {short(self.precision)}"
                )
        self._check_bids()
        self._check_room()
        self._check_sobol()
        if self.given is not None:
            given = tuple(self.given)
            complete = tuple(self.space.complete(weights) for weights in given)
            object.__setattr__(self, "given", derived(complete, given))
            if not self.given:
                raise AllpayError("no designs are given: give at least one, or leave them out")
            carrying = max(np.flatnonzero(weights).max(initial=0) + 1 for weights in self.given)
            if carrying > self.space.dimension:  # they say how many ranks may carry weight
                object.__setattr__(self, "space", derived(replace(self.space, ranks=int(carrying)), self.space))
            if not self.active or self.samples < len(self.given):
                object.__setattr__(self, "samples", derived(len(self.given), self.samples))
        elif self.spread_by == "grid":
            if self.active:
                raise AllpayError(
                    "an active study chooses its designs, and a grid does not go on: give another sampling"
                )
            object.__setattr__(self, "samples", derived(len(grid(self.space.polytope, self.samples)), self.samples))

    def _check_sobol(self) -> None:
        """Raise AllpayError if there are no Sobol points for designs of so many ranks."""
        if self.spread_by == "sobol" and self.space.polytope.cube > MOST_SOBOL:
            raise AllpayError(
                f"sampling sobol spreads designs of at most {MOST_SOBOL:,} numbers: got {self.space.polytope.cube:,}, for "
                f"{self.space.dimension:,} ranks; give sampling uniform, or fewer ranks"
            )

    def _check_bids(self) -> None:
        """Raise AllpayError if some designs of a box leave bids without a bound."""
        assert self.setting is not None
        bounded = self.setting.max_bid is not None or not self.setting.overbidding
        if self.space.box and not bounded and not self.space.first_at_least:
            raise AllpayError(
                "in this box the highest bidder may pay next to nothing, so that any bid is rational: "
                "give first-at-least (0.2, say) or max-bid"
            )

    def _check_room(self) -> None:
        """Raise AllpayError if the table of all rounds, or the rounds of one design, take more memory than there may be."""
        assert self.setting is not None
        n, levels = self.space.bidders, levels_of(self.setting.values)
        samples = self.samples if self.given is None else max(self.samples, len(self.given))
        check_memory(
            COPIES * 8 * samples * self.rounds * (n + COLUMNS),
            f"a table of samples {samples:,} × rounds {self.rounds:,} for bidders {n:,}",
            "give fewer of these",
        )
        groups = len(kinds_of_values(self.setting.values))
        check_room(self.learner, n, levels, self.setting.bid_levels, self.rounds, groups)

    @property
    def amounts(self) -> tuple[Amounts, ...]:
        """What those of the given designs were given as that are amounts of money, percent or fractions."""
        return tuple(found for given in asked(self.given) or () if (found := self.space.amounts(given)) is not None)

    @cached_property
    def goal(self) -> Objective:
        """What the best design is best for."""
        return objective(self.objective)

    @property
    def bidders(self) -> int:
        """n, how many bid."""
        return self.space.bidders

    @property
    def active(self) -> bool:
        """Whether designs are chosen by what others have brought."""
        return self.strategy == "active"

    @property
    def spread_by(self) -> str:
        """How designs are spread."""
        assert self.sampling is not None
        return self.sampling

    @cached_property
    def designs(self) -> Array:
        """`[samples, bidders]` the weights of every design; of an active study, of those that come first.

        In a space of more than one dimension its corners are among them, if they are at most half.
        """
        if self.given is not None:
            return np.array(self.given)
        if self.spread_by == "grid":
            return self.space.sample(self.samples, self.seed, self.spread_by)
        count = self.samples if not self.active else first_of(self.samples, self.space.polytope.freedom, active=True)
        return opening(self.space.polytope, count, _designs_rng(self.seed), self.spread_by)

    @cached_property
    def stages(self) -> tuple[range, ...]:
        """The numbers of the designs that are known together: all, or the batches of an active study, one after another."""
        given = None if self.given is None else len(self.given)
        return stages_of(first_of(self.samples, self.space.polytope.freedom, self.active, given), self.samples)

    def game(self, weights: float | Sequence[float]) -> Game:
        """The game under one design."""
        assert self.setting is not None
        return self.setting.game(self.space.mechanism(weights))

    def specification(self) -> dict[str, Any]:
        """All that the results depend on, as plain JSON values; two studies with equal ones have equal results.

        Raises:
            AllpayError: if a distribution or a learner of somebody else's holds what cannot be written down.
        """
        return {f.name: written(getattr(self, f.name), f"the study's {f.name}") for f in dataclasses.fields(self)}


def first_of(samples: int, freedom: int, active: bool, given: int | None = None) -> int:
    """How many designs of a study are known before any is learned, in a space of so many dimensions."""
    if given is not None:
        return given
    return min(max(FEWEST_FIRST, 2 * (freedom + 1)), samples) if active else samples


def stages_of(first: int, samples: int) -> tuple[range, ...]:
    """The numbers of the designs that are known together, where so many are known at first and so many in the end."""
    stages = [range(first)]
    while stages[-1].stop < samples:
        known = stages[-1].stop
        stages.append(range(known, min(known + max(FEWEST_NEXT, known // GROWTH), samples)))
    return tuple(stages)


def _designs_rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DESIGNS,)))
