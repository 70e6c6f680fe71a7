"""Experiments: learners in several contests under the same designs, on one grid of bids, so that what they bid can be laid over
each other and over the equilibrium."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from allpay.contest.game import Setting
from allpay.errors import AllpayError, short
from allpay.frozen import Stateful
from allpay.learners import Learner
from allpay.study.space import widened
from allpay.study.study import DesignSpace, Study

MOST_EXPERIMENTS = 200
"""More experiments than this are refused; learners count apart."""


@dataclass(frozen=True)
class Experiment:
    """One learner in one contest.

    Attributes:
        name: what the contest is called.
        learner: how bidders learn.
        setting: who bids for what.
        bidders: how many bid.
    """

    name: str
    learner: Learner
    setting: Setting
    bidders: int


@dataclass(frozen=True)
class ExperimentStudy(Stateful):
    """Several experiments under the same designs.

    Attributes:
        study: the designs, which are given; rounds, seed and objective. Its space is that of the fewest bidders.
        experiments: at least one, on grids of as many bids each.

    Raises:
        AllpayError: if one of these does not fit.
    """

    study: Study
    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.experiments) <= MOST_EXPERIMENTS:
            raise AllpayError(
                f"there are from 1 to {MOST_EXPERIMENTS} experiments, learners counted apart: got {len(self.experiments):,}"
            )
        if self.study.given is None:
            raise AllpayError("experiments are of designs that are given: write designs = [1.0, [0.6, 0.4]] in [study]")
        for name in ("money", "round_to"):
            if getattr(self.study, name) is not None:
                raise AllpayError(f"{name} has no effect on experiments: leave it out")
        seen = set[tuple[str, str]]()
        for each in self.experiments:
            if (each.name, each.learner.name) in seen:
                raise AllpayError(
                    f"two experiments are {short(each.name)} with {each.learner.name}: give one of them another name"
                )
            seen.add((each.name, each.learner.name))
        space = replace(self.study.space, bidders=min(each.bidders for each in self.experiments))
        space = replace(space, ranks=int(space.dimension))  # as many in all
        object.__setattr__(self, "study", replace(self.study, space=space))
        grids = {each.setting.bid_levels for each in self.experiments}
        if len(grids) > 1:
            raise AllpayError(
                f"experiments share one grid: got {' and '.join(map(str, sorted(grids)))} bid levels; give one number in [game]"
            )

    @property
    def top(self) -> float:
        """The highest bid of the common grid: the highest that is rational, or allowed, in any of them."""
        return max(
            each.setting.game(space.mechanism(tuple(weights))).top_bid
            for each, space, designs in self._worlds()
            for weights in designs
        )

    def _worlds(self) -> list[tuple[Experiment, DesignSpace, list[list[float]]]]:
        """The experiments, with their designs as they are for so many bidders."""
        found = []
        for each in self.experiments:
            space = replace(self.study.space, bidders=each.bidders)
            found.append((each, space, widened(self.study.designs, 0, each.bidders).tolist()))
        return found

    def studies(self) -> dict[str, Study]:
        """The study of each experiment, by the folder that it is kept in: the same designs, rounds, seeds and grid of bids.

        Raises:
            AllpayError: if something does not fit together in one.
        """
        top, found = self.top, {}
        for number, (each, space, designs) in enumerate(self._worlds(), 1):
            try:
                setting = each.setting if each.setting.max_bid is not None else replace(each.setting, max_bid=top)
                given = tuple(tuple(weights) for weights in designs)
                made = replace(self.study, space=space, learner=each.learner, setting=setting, given=given)
                made.game(made.designs[0])
            except AllpayError as error:
                raise AllpayError(f"experiment {short(each.name)}, {each.learner.name}: {error}") from None
            found[folder_of(number)] = made
        return found

    def specification(self) -> dict[str, Any]:
        """All that the answer depends on, as plain JSON values."""
        return {
            "studies": {name: study.specification() for name, study in self.studies().items()},
            "experiments": {
                "study": self.study.specification(),
                "each": [{"name": each.name, "max_bid": each.setting.max_bid} for each in self.experiments],
            },
        }


def folder_of(number: int) -> str:
    """The folder of an experiment, counted from 1."""
    return f"experiment-{number}"


def kept_experiments(study: Study, studies: Mapping[str, Study], kept: Any) -> ExperimentStudy:
    """What `ExperimentStudy.specification` has written, the studies in it being built already.

    Raises:
        AllpayError: if it is something else.
    """
    try:
        found = []
        for number, each in enumerate(kept["each"], 1):
            made = studies[folder_of(number)]
            setting = replace(made.setting or Setting(), max_bid=each["max_bid"])
            found.append(Experiment(str(each["name"]), made.learner, setting, made.bidders))
    except (KeyError, TypeError, AttributeError) as error:
        raise AllpayError(
            f"the folder holds no experiments that can be read: {short(' '.join(str(error).split()))}"
        ) from None
    return ExperimentStudy(study, tuple(found))
