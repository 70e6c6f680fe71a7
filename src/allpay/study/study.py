"""What a study is: the designs to try, the bidders who learn under each, and how often. Running it is in `sweep`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from allpay.contest.amounts import Amounts
from allpay.contest.bidder import kinds_of_values, levels_of
from allpay.contest.game import Array, Game, Setting
from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import LATER, Stateful, asked, derived
from allpay.learners import FictitiousPlay, Learner
from allpay.learners.base import as_learner, check_count, check_room, check_rounds, check_seed
from allpay.memory import check_memory
from allpay.objectives import Objective, objective
from allpay.scalars import plain_fields
from allpay.simplex import SAMPLINGS, check_sobol, grid, opening
from allpay.study.identity import unsaid, written
from allpay.study.space import DESIGNS, DesignSpace, designs_rng

MOST_MONEY, MOST_STEPS = 1e15, 1_000_000
"""The most that all prizes come to, and into how many steps they are parted at most."""

STRATEGIES = ("sample", "active")
"""How designs are found: all before any is simulated, or in batches, by what the ones before have brought."""

FEWEST_FIRST, FEWEST_NEXT, GROWTH = 8, 4, 8
"""The first batch of an active study has at least so many designs, and two for each corner of a simplex of as many
dimensions; each further one has at least so many, or one for every so many designs before it."""

MOST_SAMPLES = 100_000_000
"""More designs than this are refused."""

COLUMNS, COPIES = 12, 2
"""The table of a study has so many columns beside its weights, and so many copies while it is put together."""

TRAINING, CHECKING, CHOOSING, LOOKING, FRONT, WORLDS = range(DESIGNS + 1, DESIGNS + 7)
"""Streams of random numbers under a study's seed. What is trained on, what is looked at
again and what checks the result never share one."""


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
        given: designs instead of those drawn, as `whole` of the space takes them; in an active study, its first batch.
        money: what all prizes come to in money, in which they are told.
        round_to: the step of weights that can be announced: of `money` if that is given, else a part of 1, as 0.05. The best
            such design is told beside the best, with what it costs.

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
    money: float | None = field(default=None, metadata={LATER: True})
    round_to: float | None = field(default=None, metadata={LATER: True})

    def __post_init__(self) -> None:
        for name in ("space", "setting", "samples", "sampling", "given"):
            object.__setattr__(self, name, asked(getattr(self, name)))
        goal = objective(self.objective)
        goal.load()
        object.__setattr__(self, "objective", goal.text)
        one_of("strategy", self.strategy, STRATEGIES)
        object.__setattr__(self, "learner", as_learner(self.learner))
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
            even = self.active and self.space.polytope.cube is not None
            object.__setattr__(self, "sampling", derived("sobol" if even else "uniform"))
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
        self._check_steps()
        self._check_bids()
        self._check_room()
        if self.spread_by == "sobol":
            check_sobol(self.space.polytope)
        assert self.setting is not None
        self.space.check_setting(self.setting)
        if self.given is not None:
            given = tuple(self.given)
            complete = tuple(self.space.whole(design) for design in given)
            object.__setattr__(self, "given", derived(complete, given))
            if not self.given:
                raise AllpayError("no designs are given: give at least one, or leave them out")
            n = self.space.bidders
            carrying = max(np.flatnonzero(design[:n]).max(initial=0) + 1 for design in complete)
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

    def _check_steps(self) -> None:
        """Raise AllpayError unless what is announced can be in such steps."""
        if self.money is not None:
            if self.space.rule != "prizes":
                raise AllpayError("money is what prizes come to: under the rule payments leave it out")
            if any(choice.name == "purse" for choice in self.space.choose):
                raise AllpayError(
                    "money is what all prizes come to, and the purse is to be chosen: leave one of them out"
                )
            if not 0 < self.money <= MOST_MONEY:
                raise AllpayError(
                    f"money is what all prizes come to, above 0 and at most {MOST_MONEY:g}: got {exactly(self.money)}"
                )
        if self.round_to is None:
            return
        whole = 1.0 if self.money is None else self.money
        if not 0 < self.round_to <= whole:
            raise AllpayError(
                f"round_to is a step above 0 and at most {whole:g}: got {exactly(self.round_to)}"
                + ("; for amounts give money too" if self.money is None else "")
            )
        parts = whole / self.round_to
        if not self.space.box and (not parts <= MOST_STEPS or abs(parts - round(parts)) > 1e-9 * parts):
            raise AllpayError(
                f"{whole:,g} must be a multiple of the step, at most {MOST_STEPS:,} times: got round_to {self.round_to:g}"
            )

    @property
    def step(self) -> float | None:
        """The step of weights that can be announced, as a part of 1; None if any weight can."""
        return None if self.round_to is None else self.round_to / (self.money or 1.0)

    def _check_bids(self) -> None:
        """Raise AllpayError if some designs of a box leave bids without a bound."""
        assert self.setting is not None
        bounded = self.setting.max_bid is not None or not self.setting.overbidding
        bounded |= any(choice.name == "max_bid" for choice in self.space.choose)
        if self.space.box and not bounded and not self.space.polytope.corners[0, :, 0].min() > 0:
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
            COPIES * 8 * samples * self.rounds * (n + len(self.space.choose) + COLUMNS),
            f"a table of samples {samples:,} × rounds {self.rounds:,} for bidders {n:,}",
            "give fewer of these",
        )
        groups = len(kinds_of_values(self.setting.values))
        check_room(self.learner, n, levels, self.setting.bid_levels, self.rounds, groups)

    @property
    def amounts(self) -> tuple[Amounts, ...]:
        """What those of the given designs were given as that are amounts of money, percent or fractions."""
        if self.space.choose:  # a row of weights and numbers
            return ()
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
    def names(self) -> tuple[str, ...]:
        """The columns of a design, see `DesignSpace.names`."""
        return self.space.names

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
        """`[samples, n]` every design, its weights and what is chosen beside them; of an active study, those that come first.

        In a space of more than one dimension its corners are among them, if they are at most half.
        """
        if self.given is not None:
            return np.array(self.given)
        if self.spread_by == "grid":
            return self.space.sample(self.samples, self.seed, self.spread_by)
        count = self.samples if not self.active else first_of(self.samples, self.space.free, active=True)
        return self.space.designs(opening(self.space.polytope, count, designs_rng(self.seed), self.spread_by))

    @cached_property
    def stages(self) -> tuple[range, ...]:
        """The numbers of the designs that are known together: all, or the batches of an active study, one after another."""
        given = None if self.given is None else len(self.given)
        return stages_of(first_of(self.samples, self.space.free, self.active, given), self.samples)

    def game(self, design: float | Sequence[float]) -> Game:
        """The game under one design, its weights and what is chosen beside them."""
        assert self.setting is not None
        return self.space.game(self.setting, design)

    def specification(self) -> dict[str, Any]:
        """All that the results depend on, as plain JSON values; two studies with equal ones have equal results.

        Raises:
            AllpayError: if a distribution or a learner of somebody else's holds what cannot be written down.
        """
        said = [f.name for f in dataclasses.fields(self) if not unsaid(self, f)]
        return {name: written(getattr(self, name), f"the study's {name}") for name in said}


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
