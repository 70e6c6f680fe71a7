"""Studies as text: the TOML file that a user writes, and the specification that a study folder keeps. Both become a `Study`."""

import dataclasses
import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from allpay.contest.amounts import part_in, parts_in
from allpay.contest.attendance import Field, field
from allpay.contest.attitudes import ATTITUDES, Disappointment, Expected, Prelec, TverskyKahneman, attitude
from allpay.contest.bidder import Bidder, groups_of, levels_of
from allpay.contest.game import Setting
from allpay.contest.preferences import Cara, Crra, LossAverse, Neutral, PowerCost, Utility
from allpay.contest.success import Highest, Noise, Tullock, success
from allpay.contest.values import Beta, Common, Curve, Discrete, Lognormal, Power, Private, Uniform, distribution
from allpay.errors import AllpayError, meant, one_line, one_of, short, shortened
from allpay.files import in_shell
from allpay.learners import LEARNERS, Learner, kind_of, learner
from allpay.learners.own import SEPARATOR
from allpay.objectives import objective
from allpay.study.experiment import Experiment, ExperimentStudy, kept_experiments
from allpay.study.identity import FUNCTION, TYPE, made_of
from allpay.study.received import outline_of, parted
from allpay.study.scenario import Scenario, ScenarioStudy, kept_scenarios, scenario_in_words
from allpay.study.space import Choice, DesignSpace
from allpay.study.study import Study

TEMPLATE = """\
# A study for `allpay run`: which designs to try, who bids, and how bidders learn.
# What is commented out shows its default, or an example where there is none.

[study]
rule = "prizes"              # prizes: the weights split the prize, every bidder pays its bid
                             # payments: the highest wins, the weights say who pays how much of its bid
bidders = 3
objective = "revenue"        # what the best design is best for: revenue, highest-bid, top-3, ranked-bids(1,0.5),
                             # threshold(0.4), entrants, welfare, ablest-wins, profit(2), or sums: 0.7*revenue + 0.3*top-3
samples = 50                 # designs to try
rounds = 10                  # independent rounds of learning under each
seed = 0
# ranks = 2                  # how many ranks may carry weight; all but the last
# region = "simplex"         # simplex: nonincreasing weights of sum 1; box: payments, each anywhere in [0, 1]
# first_at_most = 0.8        # bounds on the weight of the first rank and of the last that may carry any; or "80%"
# first_at_least = 0.6
# last_at_least = 0.1
# at_least = [0.2, 0.1]      # the least weight of each rank, from the first down; or "20%, 5%x4"
# same = [[4, 10]]           # ranks that get the same
# choose = { reserve = [0, 0.5] }   # numbers to choose with the weights, and their bounds: purse, reserve, fee, max_bid,
                             # "head_start:2" of the second kind of [[bidders]]
# money = 20000              # what all prizes come to, in which the answer is told too
# round_to = 250             # tell the best design in such steps, of money or else of 1, and what that costs
# sampling = "uniform"       # how designs are spread: uniform, sobol, or grid (the finest of at most that many samples)
# strategy = "sample"        # active: after a first batch, designs are chosen where much is to be hoped for; samples at most
# precision = 0.01           # active: stop when the design recommended is expected to lose less than this part
# designs = [0.8, [0.6, 0.4], "7500,5000,2500"]   # instead of drawing them: w for (w, 1−w, 0, …), a weight per rank, or
                             # prizes in money, percent or fractions

[game]
values = "private"           # private, or common: the prize is worth 1 to all
# distribution = "uniform(0,1)"   # of private values; also power(2), beta(2,5), lognormal(0,1,3),
                             # integers(0,9), steps(0,1,3)
# value_levels = 64          # values on the grid; the default depends on the learner
# bid_levels = 101           # bids on the grid; the default depends on the learner
# max_bid = 1.0              # a cap on bids; the highest that can be rational
# overbidding = true         # whether a bid may exceed the bidder's value
# cost_power = 1.0           # a paid bid b costs its bidder b^cost_power
# risk_aversion = 0.0        # constant absolute risk aversion
# luck = "tullock(1)"        # who beats whom: none, tullock(r), or noise on bids: normal(0.2), gumbel, logistic, uniform,
                             # exponential, pareto(scale,power); normal(0.2,log) on their logarithm
# attendance = 0.8           # the chance of each bidder to turn up; or how many do: "40:120", "poisson(80)", …
# reserve = 0.1              # a bid below it does not count
# fee = 0.05                 # what everybody pays whose bid counts
# ties = "random"            # or seconds-pay: every loser who ties for the second place pays what the second pays

# Bidders who differ: a table for each kind, instead of values, cost and risk in [game].
#   [[bidders]]
#   count = 2
#   values = "uniform(0,1)"  # or "common(0.5)"
#   cost_power = 2.0         # also cost_scale, risk_aversion, relative_risk_aversion, wealth, loss_aversion, max_bid,
#                            # overbidding, head_start, handicap, presence, joy (what it is worth to win, beside the prize),
#                            # attitude to chances: "prelec(0.65)", "tversky-kahneman(0.61)", "disappointment(0.5)"

[learner]
name = "fictitious-play"
# iterations = 3000          # and the other options of this learner
                             # a learner of your own: name = "package.module:Class"

# If you do not know the world: a table for each scenario, two or more, with what it changes of the above. The answer is then
# the best design of each, the best on average and in the worst case, and what each loses where; `designs` stand beside them.
#   [[scenario]]
#   name = "few teams"       # what it is called; else what it changes
#   weight = 2.0             # how likely you hold it, beside the others; 1
#   bidders = 40             # and any key of [game]; or groups = ["2: uniform(0,1)", "8: uniform(0,0.5), cost 2"]

# Several experiments in one file: a table for each contest, with who learns it and what it changes of [game]. All learn under
# the same `designs`, on one grid of bids; the answer is one table, and one figure of bids over those of the equilibrium.
#   [[experiment]]
#   name = "effort grows dear"
#   learners = ["fictitious-play", "regret-matching"]   # the one of [learner]
#   cost_power = 2.0         # and any key of [game], bidders, or groups
"""


MOST_BYTES = 1_000_000
"""A study file is not longer: a list of ten thousand designs is half of that."""

MOST_WARNINGS, MOST_WARNING = 5, 1_000
"""So many warnings of a file are told, and so many characters of each."""

MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "list_type": "a list",
}
"""What a value must be that is of another type, by Pydantic's name for that."""

UNION = ("float", "list[float]", "str")
"""What Pydantic adds to the place of a fault where a value may be one or the other."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StudySection(_Section):
    """The section `[study]`."""

    rule: str = "prizes"
    bidders: int = 3
    ranks: int | None = None
    objective: str = "revenue"
    samples: int = 50
    rounds: int = 10
    seed: int = 0
    region: str = "simplex"
    first_at_most: float | str | None = None
    first_at_least: float | str | None = None
    last_at_least: float | str | None = None
    sampling: str | None = None
    strategy: str = "sample"
    precision: float | None = None
    designs: list[float | list[float] | str] | None = None
    at_least: list[float] | str | None = None
    same: list[list[int]] = []
    choose: dict[str, list[float]] = {}
    money: float | None = None
    round_to: float | str | None = None

    def part(self, name: str) -> float | None:
        """A part of the whole, which may be written as percent; of the money, if that is given, it may be an amount."""
        given = getattr(self, name)
        return part_in(given, name, self.money) if isinstance(given, str) else given

    def space(self) -> DesignSpace:
        """The designs that are allowed.

        Raises:
            AllpayError: if they are not well defined.
        """
        floors = self.at_least
        return DesignSpace(
            self.rule,
            self.bidders,
            self.ranks,
            self.region,
            self.part("first_at_most"),
            self.part("first_at_least"),
            self.part("last_at_least"),
            parts_in(floors, "at_least", self.money) if isinstance(floors, str) else floors,
            [tuple(ranks) for ranks in self.same],  # type: ignore[misc]
            {name: tuple(bounds) for name, bounds in self.choose.items()},
        )


OF_ALL = ("values", "distribution", "overbidding", "cost_power", "risk_aversion")
"""What the section `[game]` says of all bidders, and each group for itself where they differ."""


def _drawn(group: tuple[Bidder, int]) -> bool:
    """Whether a group draws values from a continuum, of which the grid has as many as one likes."""
    values = group[0].values
    return isinstance(values, Private) and not isinstance(values.distribution, Discrete)


def _values_in(text: str, levels: int) -> Private | Common:
    """Values that a text names: a distribution, or one value that all have, as `common(0.5)`."""
    match = re.fullmatch(r"\s*common\s*(?:\(([^()]*)\))?\s*", text.lower())
    if match is None:
        drawn = distribution(text)
        return Private(drawn) if isinstance(drawn, Discrete) else Private(drawn, levels)
    try:
        return Common(float(match[1] or 1.0))
    except ValueError as error:
        if isinstance(error, AllpayError):
            raise
        raise AllpayError(f"cannot read the number of {short(text)}: write it as common(0.5)") from None


class GameSection(_Section):
    """The section `[game]`; what is not given is as in the learner's usual setting."""

    values: str = "private"
    distribution: str | None = None
    value_levels: int | None = None
    bid_levels: int | None = None
    max_bid: float | None = None
    overbidding: bool | None = None
    cost_power: float = 1.0
    risk_aversion: float = 0.0
    luck: str = "none"
    attendance: float | str = 1.0
    reserve: float = 0.0
    fee: float = 0.0
    ties: str = "random"

    def setting(self, usual: Setting, groups: "Sequence[BidderSection]" = ()) -> Setting:
        """A usual setting, with what is given here changed.

        Args:
            usual: the learner's.
            groups: kinds of bidders, where they differ.

        Raises:
            AllpayError: if something given does not fit.
        """
        contest: dict[str, Any] = {
            "luck": success(self.luck),
            "attendance": self._attendance(),
            **{name: getattr(self, name) for name in ("reserve", "fee", "ties")},
            **{name: getattr(self, name) for name in ("bid_levels", "max_bid") if getattr(self, name) is not None},
        }
        if groups:
            for name in OF_ALL:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise AllpayError(
                        f"{name.replace('_', '-')} is said for each group of bidders who differ: leave it out beside them"
                    )
            levels = self.value_levels or levels_of(usual.values)
            made = tuple(
                _made_of(group, k, len(groups), levels, usual.overbidding) for k, group in enumerate(groups, 1)
            )
            if self.value_levels is not None and not any(map(_drawn, made)):
                raise AllpayError(
                    f"value-levels {self.value_levels} has no effect where no group draws values from a continuum: "
                    "leave it out"
                )
            return replace(usual, values=made, overbidding=True, **contest)
        values: Private | Common = usual.values
        if one_of("kind of values", self.values, ("private", "common")) == "common":
            for name, given in (("distribution", self.distribution), ("value-levels", self.value_levels)):
                if given is not None:
                    raise AllpayError(
                        f"{name} {given} says how private values are drawn: leave it out with common values"
                    )
            values = Common()
        else:
            assert isinstance(values, Private)
            if self.distribution is not None:
                values = _values_in(self.distribution, values.levels)
            if self.value_levels is not None:
                if isinstance(values, Common):
                    raise AllpayError(
                        f"value-levels {self.value_levels} has no effect where all have one value: leave it out"
                    )
                values = replace(values, levels=self.value_levels)
        if self.overbidding is not None:
            contest["overbidding"] = self.overbidding
        return replace(usual, values=values, cost_power=self.cost_power, risk_aversion=self.risk_aversion, **contest)

    def _attendance(self) -> Field | float:
        """Who turns up: a chance, or the field that a text names."""
        if not isinstance(self.attendance, str):
            return self.attendance
        try:
            return field(self.attendance)
        except AllpayError as error:
            raise AllpayError(f"attendance is a chance or a field: {error}") from None


class BidderSection(_Section):
    """A table `[[bidders]]`: one kind of bidder, and how many there are of it."""

    count: int
    values: str = "uniform(0,1)"
    cost_power: float = 1.0
    cost_scale: float = 1.0
    risk_aversion: float | None = None
    relative_risk_aversion: float | None = None
    wealth: float | None = None
    loss_aversion: float | None = None
    max_bid: float | None = None
    overbidding: bool | None = None
    head_start: float = 0.0
    handicap: float = 1.0
    presence: float = 1.0
    joy: float = 0.0
    attitude: str | None = None

    def bidder(self, levels: int, overbidding: bool) -> tuple[Bidder, int]:
        """The bidder, and how many there are.

        Args:
            levels: how many values it can have, where they are not a few points.
            overbidding: whether it may bid more than its value, where that is not said.

        Raises:
            AllpayError: if a part of it does not fit.
        """
        made = Bidder(
            _values_in(self.values, levels),
            PowerCost(self.cost_power, self.cost_scale),
            self._utility(),
            self.max_bid,
            overbidding if self.overbidding is None else self.overbidding,
            self.head_start,
            self.handicap,
            self.presence,
            self.joy,
            Expected() if self.attitude is None else attitude(self.attitude),
        )
        return groups_of([(made, self.count)])[0]

    def _utility(self) -> Utility:
        given = {
            name: getattr(self, name)
            for name in ("risk_aversion", "relative_risk_aversion", "loss_aversion")
            if getattr(self, name)
        }
        if len(given) > 1:
            raise AllpayError(
                f"a bidder has one utility: got {' and '.join(given).replace('_', ' ')}; give one of them"
            )
        if self.wealth is not None and "relative_risk_aversion" not in given:
            raise AllpayError("wealth has no effect without relative risk aversion: leave it out")
        if self.risk_aversion:
            return Cara(self.risk_aversion)
        if self.relative_risk_aversion:
            return Crra(self.relative_risk_aversion, 1.0 if self.wealth is None else self.wealth)
        return LossAverse(self.loss_aversion) if self.loss_aversion else Neutral()


def _made_of(group: BidderSection, number: int, of: int, levels: int, overbidding: bool) -> tuple[Bidder, int]:
    """The bidder of a group and how many there are; of several, what is wrong with one says which it is."""
    try:
        return group.bidder(levels, overbidding)
    except AllpayError as error:
        raise AllpayError(f"{f'group {number}: ' if of > 1 else ''}{error}") from None


WORDS_OF_GROUPS = {
    "cost": "cost_power",
    "scale": "cost_scale",
    "averse": "risk_aversion",
    "relative": "relative_risk_aversion",
    "wealth": "wealth",
    "losses": "loss_aversion",
    "cap": "max_bid",
    "head-start": "head_start",
    "handicap": "handicap",
    "presence": "presence",
    "joy": "joy",
}
"""What the parts of a group are called in one line of text, and in `BidderSection`."""


def group(text: str) -> BidderSection:
    """The kind of bidder that a line describes: `8: uniform(0,0.5), cost 2, presence 0.9`.

    Raises:
        AllpayError: if it cannot be read.

    >>> group("8: uniform(0,0.5), cost 2").cost_power
    2.0
    """
    count, colon, rest = text.partition(":")
    if not (colon and count.strip().isdecimal() and len(count) < 12):
        raise AllpayError(f"cannot read the group {short(text)}: write it as '8: uniform(0,0.5), cost 2'")
    parts = [part.strip() for part in re.split(r",(?![^()]*\))", rest) if part.strip()]
    found: dict[str, Any] = {"count": int(count)}
    for part in parts:
        name, _, number = part.partition(" ")
        if part in ("no-overbidding", "overbidding"):
            found["overbidding"] = part == "overbidding"
        elif part.partition("(")[0].strip().lower() in ATTITUDES:
            found["attitude"] = part
        elif name in WORDS_OF_GROUPS:
            try:
                found[WORDS_OF_GROUPS[name]] = float(number)
            except ValueError:
                raise AllpayError(f"{name} of a group takes a number, as in '{name} 2': got {short(part)}") from None
        elif "values" not in found:
            found["values"] = part
        else:
            one_of("part of a group", name, [*WORDS_OF_GROUPS, "no-overbidding", *ATTITUDES])
    return BidderSection(**found)


class WorldSection(GameSection):
    """A table for one of several contests: what it changes of the section `[game]`, and of who bids."""

    name: str | None = None
    bidders: int | None = None
    groups: list[str] | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """What is written in it of the contest."""
        written = self.model_fields_set & {*GameSection.model_fields, "bidders", "groups"}
        return {key: getattr(self, key) for key in type(self).model_fields if key in written}

    @property
    def called(self) -> str:
        """Its name; else what it changes."""
        return scenario_in_words(self.changes) if self.name is None else self.name

    def contest(self, study: "StudyFile", usual: Setting) -> tuple[Setting, int]:
        """Who bids for what, and how many: the study's contest with these changes.

        Groups of bidders take the place of all that the study says of bidders, as do bidders who are alike of its groups; and
        the number of bidders is the scenario's, where it says one.

        Raises:
            AllpayError: if something given does not fit.
        """
        changes = self.changes
        groups = study.bidders if self.groups is None else [group(text) for text in self.groups]
        ours = {key: value for key, value in changes.items() if key in GameSection.model_fields}
        theirs = dict.fromkeys(OF_ALL) if self.groups else {}  # said of each group
        if self.values == "common" or (self.distribution is not None and "values" not in ours):
            theirs |= dict.fromkeys(("values", "distribution", "value_levels"))
        usually = {key: GameSection.model_fields[key].default for key in theirs}
        setting = study.game.model_copy(update=usually | ours).setting(usual, groups)
        says_how_many = bool(self.groups) or (isinstance(setting.attendance, Field) and "attendance" in ours)
        asked = study.asked_bidders if self.bidders is None and not says_how_many else self.bidders
        return setting, bidders_in(setting, asked, 3)


class ScenarioSection(WorldSection):
    """A table `[[scenario]]`: a world that may be the true one."""

    weight: float = 1.0

    def scenario(self, study: "StudyFile", usual: Setting) -> Scenario:
        """The scenario.

        Raises:
            AllpayError: see `contest`.
        """
        return Scenario(self.called, *self.contest(study, usual), self.weight, tuple(self.changes.items()))


class ExperimentSection(WorldSection):
    """A table `[[experiment]]`: a contest, and who learns it."""

    learners: list[str] | None = None

    def experiments(self, study: "StudyFile", bidding: Sequence[Learner]) -> list[Experiment]:
        """An experiment with each learner, on the grid of the section `[game]`, or the usual one whoever learns.

        Raises:
            AllpayError: see `contest`.
        """
        usual = {each.name: replace(Setting(), overbidding=each.setting.overbidding) for each in bidding}
        return [Experiment(self.called, each, *self.contest(study, usual[each.name])) for each in bidding]


class LearnerSection(BaseModel):
    """The section `[learner]`: a name, and options of that learner."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str = "fictitious-play"


SECTIONS: Mapping[str, type[BaseModel]] = {
    "study": StudySection,
    "game": GameSection,
    "bidders": BidderSection,
    "scenario": ScenarioSection,
    "experiment": ExperimentSection,
}
"""The sections whose keys are known beforehand; those of `[learner]` depend on it."""

TABLES = {
    "bidders": "a table for each kind of bidder",
    "scenario": "a table for each scenario",
    "experiment": "a table for each experiment",
}
"""The sections of which there may be several, written [[so]]."""

OPTIONS = {"prizes": "ranks"}
"""The keys whose option on the command line has another name."""


class StudyFile(_Section):
    """A whole file. What its `warnings` say is no part of the study, but for whoever runs it."""

    warnings: list[str] = []
    study: StudySection = StudySection()
    game: GameSection = GameSection()
    bidders: list[BidderSection] = []
    scenario: list[ScenarioSection] = []
    experiment: list[ExperimentSection] = []
    learner: LearnerSection = LearnerSection()

    @property
    def asked_bidders(self) -> int | None:
        """How many bidders there are, if the section `[study]` says it."""
        return self.study.bidders if "bidders" in self.study.model_fields_set else None

    def build(self, trust: bool = True) -> Study | ScenarioStudy | ExperimentStudy:
        """The study that it describes, of scenarios or experiments if there are some; a learner that is not allpay's own is
        imported only if it is trusted.

        Raises:
            AllpayError: if something in it does not fit.
        """
        named = {"learner.name": [self.learner.name], "experiment.learners": self._learners}
        for key, name in ((key, name) for key, names in named.items() for name in names):
            if SEPARATOR in name and not trust:
                raise AllpayError(
                    f"{key} = {short(name)} is code that is not allpay's own: give --trust if you know where the file is from"
                )
        own = objective(self.study.objective).codes
        if own and not trust:
            raise AllpayError(
                f"study.objective calls {short(own[0])}, code that is not allpay's own: give --trust if you know where the "
                "file is from"
            )
        bidding = learner(self.learner.name, **(self.learner.model_extra or {}))
        if self.scenario and self.experiment:
            raise AllpayError("a file has scenarios or experiments: leave [[scenario]] or [[experiment]] out")
        self._check_reached()
        if self.scenario:
            return self._scenarios(bidding)
        if self.experiment:
            return self._experiments(bidding)
        setting = self.game.setting(bidding.setting, self.bidders)
        study = self._study(bidding, setting, bidders_in(setting, self.asked_bidders, 3), self.study.designs)
        study.game(study.designs[0])  # what does not fit together in it is said now
        return study

    def _check_reached(self) -> None:
        """Raise AllpayError if `[game]` says something of bidders that no contest takes, for each has groups of its own."""
        worlds = [*self.scenario, *self.experiment]
        lost = [name for name in OF_ALL if getattr(self.game, name) != GameSection.model_fields[name].default]
        if worlds and lost and all(world.groups for world in worlds):
            what = "scenario" if self.scenario else "experiment"
            raise AllpayError(
                f"[game] says {lost[0]}, but each [[{what}]] has groups, which say it for themselves: "
                f"write it in the groups, as in '2: uniform(0,1), cost 2', and leave {lost[0]} out of [game]"
            )

    def _study(
        self, bidding: Learner, setting: Setting, bidders: int, designs: list[float | list[float] | str] | None
    ) -> Study:
        step = self.study.part("round_to")
        if isinstance(self.study.round_to, str) and step is not None:
            step *= self.study.money or 1.0  # of which it is a part
        return Study(
            self.study.model_copy(update={"bidders": bidders}).space(),
            bidding,
            setting,
            self.study.samples,
            self.study.rounds,
            self.study.objective,
            self.study.seed,
            self.study.sampling,
            self.study.strategy,
            self.study.precision,
            None if designs is None else tuple(designs),
            self.study.money,
            step,
        )

    def _scenarios(self, bidding: Learner) -> ScenarioStudy:
        """The study of scenarios; its designs are those for the fewest bidders, and those given are no part of the sweep."""
        found = []
        for number, section in enumerate(self.scenario, 1):
            try:
                found.append(section.scenario(self, bidding.setting))
            except AllpayError as error:
                raise AllpayError(f"[[scenario]] {number}: {error}") from None
        setting = self.game.setting(bidding.setting, self.bidders)
        study = self._study(bidding, setting, min(each.bidders for each in found), None)
        given = tuple(study.space.whole(design) for design in self.study.designs or ())
        made = ScenarioStudy(study, tuple(found), given)
        made.studies()  # what does not fit together in one is said now
        return made

    @property
    def _learners(self) -> list[str]:
        return [name for each in self.experiment for name in each.learners or ()]

    def _experiments(self, bidding: Learner) -> ExperimentStudy:
        """The experiments; learners that tables name have their usual options, but those of the section `[learner]`."""
        found = []
        for number, section in enumerate(self.experiment, 1):
            names = [self.learner.name] if section.learners is None else section.learners
            try:
                chosen = [bidding if name == self.learner.name else learner(name) for name in names]
                found += section.experiments(self, chosen)
            except AllpayError as error:
                raise AllpayError(f"[[experiment]] {number}: {error}") from None
        if not found:
            raise AllpayError('experiments without learners: write learners = ["fictitious-play"], or leave it out')
        fewest = min(each.bidders for each in found)
        study = self._study(
            bidding, replace(Setting(), bid_levels=found[0].setting.bid_levels), fewest, self.study.designs
        )
        made = ExperimentStudy(study, tuple(found))
        made.studies()  # what does not fit together in one is said now
        return made


def bidders_in(setting: Setting, asked: int | None, usual: int) -> int:
    """How many bidders there are: as many as groups or the field say, else what is asked, else `usual`.

    Raises:
        AllpayError: if these contradict each other.
    """
    said = {}
    if isinstance(setting.values, tuple):
        said["the groups"] = sum(count for _, count in setting.values)
    if isinstance(setting.attendance, Field):
        said["the field"] = setting.attendance.most
    if asked is not None:
        said["bidders"] = asked
    for what, number in said.items():
        if number != next(iter(said.values())):
            first = next(iter(said))
            raise AllpayError(f"{first} have {said[first]} bidders, and {what} {number}: leave one of them out")
    return next(iter(said.values()), usual)


def read_study(path: Path, trust: bool = True) -> Study:
    """The study of a TOML file without scenarios; a learner that is not allpay's own is imported only if it is trusted.

    Raises:
        AllpayError: naming file, key, value and remedy, if the file cannot be read or something in it does not fit.
    """
    found = read_file(path, trust)
    if not isinstance(found, Study):
        raise AllpayError(f"{path} has scenarios or experiments: read it by allpay.study.file.read_file")
    return found


def read_file(
    path: Path, trust: bool = True, warn: Callable[[Sequence[str]], None] = lambda warnings: None
) -> Study | ScenarioStudy | ExperimentStudy:
    """The study of a TOML file, of scenarios or experiments if it has some.

    Args:
        path: of the file.
        trust: whether a learner that is not allpay's own is imported.
        warn: is given what the file warns of, if it does.

    Raises:
        AllpayError: see `read_study`.
    """
    text = _text(path)
    try:
        file = StudyFile.model_validate(_keys(text))
        study = file.build(trust)
    except tomllib.TOMLDecodeError as error:
        several = "; tables that are there several times have two brackets, as [[scenario]]" * ("twice" in str(error))
        raise AllpayError(f"{path} is not TOML: {shortened(str(error), 120)}{several}") from None
    except ValidationError as error:
        raise _fault(path, error.errors()[0]) from None
    except AllpayError as error:
        raise AllpayError(f"{path}: {error}") from None
    if file.warnings:
        warn([shortened(one_line(text), MOST_WARNING) for text in file.warnings[:MOST_WARNINGS]])
    return study


def _fault(path: Path, fault: Any) -> AllpayError:
    """What is wrong in a study file, by the first fault that Pydantic found: the key, the value and the remedy."""
    place = [str(part) for part in fault["loc"] if part not in UNION]
    named = next(part for part in reversed(place) if not part.isdecimal())  # not the number of an entry of a list
    section, key, given = place[0], shortened(one_line(named), 60), short(fault["input"])
    inside = len(place) > 1
    table = inside and place[1].isdecimal()  # one of several
    where = f"[[{section}]] {int(place[1]) + 1}" if table else f"[{section}]"
    full = f"{key} of {where}" if table else shortened(one_line(".".join(place)), 60)
    must = MUST_BE.get(fault["type"])
    text = f"{full} must be {must}: got {given}" if must else f"{full} = {given}: {fault['msg'].lower()}"
    if fault["type"] == "missing":
        text = f"{where} has no {key}: add {key} = 2, how many bidders of this kind there are"
    elif section in TABLES and (fault["type"], inside, table) in (
        ("list_type", False, False),
        ("model_type", True, True),
    ):
        text = f"{section} is {TABLES[section]}: got {section} = {given}; write [[{section}]]"
    elif fault["type"] == "model_type":
        text = f"{full} is a section: got {full} = {given}; write [{full}]"
    elif fault["type"] == "extra_forbidden":
        others = [name for name, kind in SECTIONS.items() if inside and name != section and key in kind.model_fields]
        known = SECTIONS[section].model_fields if inside else StudyFile.model_fields
        if others:
            right = f"[[{others[0]}]]" if others[0] in TABLES else f"[{others[0]}]"
            text = f"{key} belongs in {right}, not in {where}: got {full} = {given}"
        elif key in StudyFile.model_fields:
            text = f"{key} is a section: got {full} = {given}; write [{key}]"
        else:
            here = f"; {OPTIONS[key]} is what --{key} is here" if OPTIONS.get(key) in known else meant(key, known)
            choices = f"choose from {', '.join(known)}{here}"
            return AllpayError(
                f"unknown key in {shortened(str(path), 80)}{f', {where}' if inside else ''}: {key!r}: {choices}"
            )
    return AllpayError(f"{path}: {text}")


def _text(path: Path) -> str:
    """What is written in a file.

    Raises:
        AllpayError: if it is a folder, a pipe or a device, or not text, or too long for a study.
    """
    name = shortened(str(path), 120)
    try:
        if path.is_dir():
            raise AllpayError(
                f"{name} is a folder: give a study file, or `allpay resume {in_shell(path)}` if it holds a study"
            )
        if path.exists() and not path.is_file():  # to read it may never end
            raise AllpayError(f"{name} is a pipe or a device: give a study file, see `allpay init`")
        with path.open("rb") as file:
            held = file.read(MOST_BYTES + 1)
        if len(held) > MOST_BYTES:
            raise AllpayError(f"{name} has more than {MOST_BYTES:,} bytes: give a study file, see `allpay init`")
        return held.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise AllpayError(
            f"cannot read {name}: {reason}; `allpay init {in_shell(path)}` writes one to begin with"
        ) from None


def _keys(text: str) -> dict[str, Any]:
    """What a text in TOML says.

    Raises:
        TOMLDecodeError: if it is none.
        AllpayError: if it is, but nobody can hold what it says.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise AllpayError("lists or tables are nested too deep: a design is a number or a list of numbers") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # a number or a date of the right form
        most = sys.get_int_max_str_digits()
        why = (
            f"a number has more than {most:,} digits"
            if "digits" in str(error)
            else shortened(one_line(str(error)), 100)
        )
        raise AllpayError(f"it cannot be read: {why}") from None


OURS: Mapping[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (
        *(DesignSpace, Choice, Setting, Private, Common, Bidder, Field),
        *(Uniform, Power, Beta, Lognormal, Curve, Discrete),
        *(Expected, Prelec, TverskyKahneman, Disappointment),
        *(PowerCost, Neutral, Cara, Crra, LossAverse, Highest, Noise, Tullock),
    )
}
"""The classes, beside those of learners, that a folder's specification may name without being trusted."""

TRUST = "its code is run only if you trust the folder: give --trust if you know where it is from"
"""What is said of a folder that names a class which is not allpay's own."""


def study_of(specification: dict[str, Any], trust: bool = True) -> Study:
    """The study that a folder's specification describes.

    Args:
        specification: as plain JSON values.
        trust: whether distributions and learners that are not allpay's own may be imported, by the names that it gives; the
            command line does so only with --trust.

    Raises:
        AllpayError: if it does not describe one, or holds what is not allpay's own and is not trusted.
    """
    outline_of(specification)
    own = objective(specification["objective"]).codes
    if own and not trust:
        raise AllpayError(f"this study calls {short(own[0])}, which is not allpay's own: {TRUST}")
    given = {key: _made(value, trust) for key, value in specification.items()}
    return _called(Study, "a study", given)


def kept_part(specification: dict[str, Any], name: str) -> Any:
    """One part of a folder's study, as its `space` or `setting`, without the others, which may name what is not allpay's own.

    Raises:
        AllpayError: if it is none, or itself holds what is not allpay's own.
    """
    outline_of(specification)
    return _made(specification[name], trust=False)


def together(studies: Mapping[str, Study]) -> dict[str, Any]:
    """The specification of a folder: of one study under the name "", or of several, each in the folder of its name below."""
    if "" in studies:
        return studies[""].specification()
    return {"studies": {name: study.specification() for name, study in studies.items()}}


Several = TypeVar("Several")


def scenarios_of(specification: dict[str, Any], trust: bool = True) -> ScenarioStudy | None:
    """The study of scenarios that a folder's specification describes; None if it describes no such one.

    Raises:
        AllpayError: see `study_of`.
    """
    return _of_several(specification, "scenarios", kept_scenarios, trust)


def experiments_of(specification: dict[str, Any], trust: bool = True) -> ExperimentStudy | None:
    """The experiments that a folder's specification describes; None if it describes none.

    Raises:
        AllpayError: see `study_of`.
    """
    return _of_several(specification, "experiments", kept_experiments, trust)


def _of_several(
    specification: dict[str, Any],
    what: str,
    made_of: Callable[[Study, Mapping[str, Study], dict[str, Any]], Several],
    trust: bool,
) -> Several | None:
    """What a specification says of several studies together under a name; None if it says nothing there."""
    kept = specification.get(what)
    if kept is None:
        return None
    if not isinstance(kept, dict) or not isinstance(kept.get("study"), dict):
        raise AllpayError(f"the folder holds no {what} that can be read: got {short(kept)}")
    return made_of(study_of(kept["study"], trust), studies_of(specification, trust), kept)


def studies_of(specification: dict[str, Any], trust: bool = True) -> dict[str, Study]:
    """The studies that a folder's specification describes, by their folders below it.

    Raises:
        AllpayError: see `study_of`.
    """
    return {name: study_of(held, trust) for name, held in parted(specification).items()}


def _made(value: Any, trust: bool) -> Any:
    """What `Study.specification` has written, as the object that it was."""
    if isinstance(value, list):
        return tuple(_made(v, trust) for v in value)
    if not isinstance(value, dict):
        return value
    name = value.get(TYPE)
    fields = {
        TYPE if key == f"field {TYPE}" else key: _made(v, trust)
        for key, v in value.items()
        if key not in (TYPE, FUNCTION)
    }
    if not isinstance(name, str):
        raise AllpayError(f"the folder holds no study that can be read: got {short(value)}")
    if name in OURS:
        return _called(OURS[name], name, fields)
    if name in LEARNERS:
        return _called(LEARNERS[name], name, fields)
    if SEPARATOR not in name:
        return made_of(value)
    if name.startswith("__main__") or "<locals>" in name:
        raise AllpayError(f"this study uses {short(name)}, which cannot be imported: run it again from its own program")
    if not trust:
        raise AllpayError(f"this study uses {short(name)}, which is not allpay's own: {TRUST}")
    return _called(kind_of(name), name, fields)


def _called(kind: Callable[..., Any], name: str, fields: dict[str, Any]) -> Any:
    """An object of a class, of these fields and no others."""
    known = {field.name for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    unknown = [key for key in fields if key not in known]
    if unknown:
        raise AllpayError(f"the folder holds no study that can be read: {name} has no field {short(unknown[0])}")
    try:
        return kind(**fields)
    except AllpayError:
        raise
    except (TypeError, ValueError, OverflowError, AttributeError, KeyError, IndexError) as error:
        text = short(" ".join(str(error).split()))
        raise AllpayError(
            f"the folder holds no study that can be read: {name} of other kinds of values ({text})"
        ) from None
