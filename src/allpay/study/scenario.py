"""Scenarios: worlds that a designer holds possible. Each has a setting and a number of bidders; designs are the same in all.

What designs bring in each is found by theory (`allpay.scenarios`) or by learning (`allpay.rehearsal`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allpay.contest.game import Array, Setting
from allpay.contest.mechanism import check_bidders
from allpay.errors import AllpayError, one_line, short, shortened
from allpay.frozen import Stateful
from allpay.scalars import above_zero
from allpay.study.space import widened
from allpay.study.study import DesignSpace, Study

MOST_SCENARIOS = 1000
"""More scenarios than this are refused."""

MOST_NAME = 60
"""Characters that the name of a scenario may have."""


@dataclass(frozen=True)
class Scenario:
    """A world that may be the true one.

    Attributes:
        name: what it is called in tables.
        setting: who bids for what.
        bidders: n, how many bid.
        weight: how likely the designer holds it, beside the weights of the others; they need not sum to 1.
        changes: what it changes of the study, by name, as plain values.

    Raises:
        AllpayError: if one of these cannot be used.
    """

    name: str
    setting: Setting = field(default_factory=Setting)
    bidders: int = 3
    weight: float = 1.0
    changes: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or one_line(self.name) != self.name:
            raise AllpayError(f"a scenario's name is one line of text, as 'few teams': got {short(self.name)}")
        if len(self.name) > MOST_NAME:
            raise AllpayError(f"a scenario's name has at most {MOST_NAME} characters: got {len(self.name):,}")
        if not isinstance(self.setting, Setting):
            raise AllpayError(f"the setting of a scenario must be a Setting: got {short(self.setting)}")
        object.__setattr__(self, "bidders", check_bidders(self.bidders))
        object.__setattr__(self, "weight", above_zero("the weight of a scenario", self.weight))


def check_scenarios(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Scenarios that can be told apart.

    Raises:
        AllpayError: if there are fewer than two, too many, or two that are the same or have the same name.
    """
    found = tuple(scenarios)
    for each in found:
        if not isinstance(each, Scenario):
            raise AllpayError(f"a scenario must be a Scenario: got {short(each)}")
    if not 2 <= len(found) <= MOST_SCENARIOS:
        raise AllpayError(
            f"from 2 to {MOST_SCENARIOS:,} scenarios are compared: got {len(found):,}; with one alone, look for its best design"
        )
    for number, each in enumerate(found):
        for before in found[:number]:
            if each.name == before.name:
                raise AllpayError(f"two scenarios are called {short(each.name)}: give each a name of its own")
            if (each.setting, each.bidders) == (before.setting, before.bidders):
                raise AllpayError(
                    f"the scenarios {short(before.name)} and {short(each.name)} are the same: change one of them, or leave it "
                    "out and give the other more weight"
                )
    return found


def chances(scenarios: Sequence[Scenario]) -> Array:
    """`[scenarios]` how likely each is held: the weights, as parts of their sum."""
    weights = np.array([each.weight for each in scenarios])
    return np.asarray(weights / weights.max() / math.fsum(weights / weights.max()))


def common_space(space: DesignSpace, scenarios: Sequence[Scenario]) -> DesignSpace:
    """The designs that are possible in every scenario: those for the fewest bidders, in as many ranks. With more bidders, the
    ranks after these carry nothing.

    Raises:
        AllpayError: if the designs have more ranks than the fewest bidders.
    """
    common = replace(space, bidders=min(each.bidders for each in scenarios))
    return replace(common, ranks=int(common.dimension))


@dataclass(frozen=True)
class ScenarioStudy(Stateful):
    """Which design to choose where several scenarios may be true, by learning: the same designs are learned in each.

    Attributes:
        study: the designs, the learner, how many samples and rounds, the objective and the seed; its space is the one that is
            common to all scenarios.
        scenarios: at least two.
        given: `[designs]` designs that are to stand beside the best ones, their weights and what is chosen beside them; there
            may be none.

    Raises:
        AllpayError: if one of these does not fit.
    """

    study: Study
    scenarios: tuple[Scenario, ...]
    given: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenarios", check_scenarios(self.scenarios))
        if self.study.active:
            raise AllpayError(
                "an active study chooses designs of its own, and scenarios share theirs: give the strategy sample"
            )
        for name in ("money", "round_to"):
            if getattr(self.study, name) is not None:
                raise AllpayError(f"{name} has no effect on a comparison of scenarios: leave it out")
        space = common_space(self.study.space, self.scenarios)
        object.__setattr__(self, "study", replace(self.study, space=space))
        object.__setattr__(self, "given", tuple(space.whole(design) for design in self.given))

    @property
    def chances(self) -> Array:
        """`[scenarios]` how likely each is held; they sum to 1."""
        return chances(self.scenarios)

    def studies(self) -> dict[str, Study]:
        """The study of each scenario, by the folder that it is kept in: the same designs, seeds and rounds.

        Raises:
            AllpayError: if something does not fit together in one.
        """
        return {folder_of(k): self._study(each, self.study.designs) for k, each in enumerate(self.scenarios, 1)}

    def _study(self, scenario: Scenario, designs: Array) -> Study:
        try:
            here = replace(self.study.space, bidders=scenario.bidders)
            given = tuple(tuple(design) for design in widened(designs, len(here.choose), here.bidders).tolist())
            made = replace(self.study, space=here, setting=scenario.setting, sampling=None, given=given)
            made.game(made.designs[0])
        except AllpayError as error:
            raise AllpayError(f"scenario {short(scenario.name)}: {error}") from None
        return made

    def specification(self) -> dict[str, Any]:
        """All that the answer depends on, as plain JSON values: the study of each scenario, and what is asked of them."""
        studies = self.studies()
        return {
            "studies": {name: study.specification() for name, study in studies.items()},
            "scenarios": {
                "study": self.study.specification(),
                "given": [list(weights) for weights in self.given],
                "each": [
                    {"name": each.name, "weight": each.weight, "changes": dict(each.changes)} for each in self.scenarios
                ],
            },
        }


def with_designs(asked: ScenarioStudy, designs: Sequence[float | Sequence[float] | str]) -> ScenarioStudy:
    """The same with more designs beside the best ones."""
    space = asked.study.space
    return replace(asked, given=(*asked.given, *(space.whole(design) for design in designs)))


def folder_of(number: int) -> str:
    """The folder of a scenario's study, counted from 1."""
    return f"scenario-{number}"


def kept_scenarios(study: Study, studies: Mapping[str, Study], kept: Any) -> ScenarioStudy:
    """What `ScenarioStudy.specification` has written, the studies in it being built already.

    Raises:
        AllpayError: if it is something else.
    """
    try:
        scenarios = tuple(
            Scenario(
                each["name"],
                studies[folder_of(k)].setting or Setting(),
                studies[folder_of(k)].bidders,
                each["weight"],
                tuple(each["changes"].items()),
            )
            for k, each in enumerate(kept["each"], 1)
        )
        given = tuple(tuple(weights) for weights in kept["given"])
    except (KeyError, TypeError, AttributeError) as error:
        raise AllpayError(
            f"the folder holds no scenarios that can be read: {short(' '.join(str(error).split()))}"
        ) from None
    return ScenarioStudy(study, scenarios, given)


def scenario_in_words(changes: Mapping[str, Any]) -> str:
    """A scenario as people say it, by what it changes.

    >>> scenario_in_words({"bidders": 40, "cost_power": 2.0, "luck": "tullock(1)"})
    '40 bidders, cost power 2, luck tullock(1)'
    """
    parts = (
        f"{_plain(x)} bidders" if name == "bidders" else f"{name.replace('_', ' ')} {_plain(x)}"
        for name, x in changes.items()
    )
    return shortened(", ".join(parts) or "as it is", MOST_NAME)


def _plain(x: Any) -> str:
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        return "; ".join(map(str, x)) if isinstance(x, list) else str(x)
    return f"{x:g}"
