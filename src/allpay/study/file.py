"""Studies as text: the TOML file that a user writes, and the specification that a study folder keeps. Both become a `Study`."""

import dataclasses
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from allpay.errors import AllpayError, one_line, one_of, short, shortened
from allpay.files import in_shell
from allpay.game import Beta, Common, Discrete, Lognormal, Power, Private, Setting, Uniform, distribution
from allpay.learners import LEARNERS, kind_of, learner
from allpay.learners.own import SEPARATOR
from allpay.study.identity import FUNCTION, TYPE, made_of
from allpay.study.received import outline_of, parted
from allpay.study.study import DesignSpace, Study

TEMPLATE = """\
# A study for `allpay run`: which designs to try, who bids, and how bidders learn.
# What is commented out shows its default, or an example where there is none.

[study]
rule = "prizes"              # prizes: the weights split the prize, every bidder pays its bid
                             # payments: the highest wins, the weights say who pays how much of its bid
bidders = 3
objective = "revenue"        # what the best design is best for: revenue or highest-bid
samples = 50                 # designs to try
rounds = 10                  # independent rounds of learning under each
seed = 0
# ranks = 2                  # how many ranks may carry weight; all but the last
# region = "simplex"         # simplex: nonincreasing weights of sum 1; box: payments, each anywhere in [0, 1]
# first_at_most = 0.8        # bounds on the weight of the first rank and of the last that may carry any
# first_at_least = 0.6       # (on the simplex, one bound on the first)
# last_at_least = 0.1
# sampling = "uniform"       # how designs are spread: uniform, sobol, or grid (the finest of at most that many samples)
# strategy = "sample"        # active: after a first batch, designs are chosen where much is to be hoped for; samples at most
# precision = 0.01           # active: stop when the interval of the best value is narrower than this part of it
# designs = [0.8, [0.6, 0.4]]   # instead of drawing them: w for (w, 1−w, 0, …), or a weight per rank

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

[learner]
name = "fictitious-play"
# iterations = 3000          # and the other options of this learner
                             # a learner of your own: name = "package.module:Class"
"""


MOST_BYTES = 1_000_000
"""A study file is not longer: a list of ten thousand designs is half of that."""

MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "list_type": "a list",
}
"""What a value must be that is of another type, by Pydantic's name for that."""

UNION = ("float", "list[float]")
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
    first_at_most: float | None = None
    first_at_least: float | None = None
    last_at_least: float | None = None
    sampling: str | None = None
    strategy: str = "sample"
    precision: float | None = None
    designs: list[float | list[float]] | None = None

    def space(self) -> DesignSpace:
        """The designs that are allowed.

        Raises:
            AllpayError: if they are not well defined.
        """
        return DesignSpace(
            self.rule,
            self.bidders,
            self.ranks,
            self.region,
            self.first_at_most,
            self.first_at_least,
            self.last_at_least,
        )


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

    def setting(self, usual: Setting) -> Setting:
        """A usual setting, with what is given here changed.

        Raises:
            AllpayError: if something given does not fit.
        """
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
                drawn = distribution(self.distribution)
                values = Private(drawn) if isinstance(drawn, Discrete) else Private(drawn, values.levels)
            if self.value_levels is not None:
                values = replace(values, levels=self.value_levels)
        changes: dict[str, Any] = {
            "bid_levels": self.bid_levels,
            "max_bid": self.max_bid,
            "overbidding": self.overbidding,
        }
        return replace(
            usual,
            values=values,
            cost_power=self.cost_power,
            risk_aversion=self.risk_aversion,
            **{key: value for key, value in changes.items() if value is not None},
        )


class LearnerSection(BaseModel):
    """The section `[learner]`: a name, and options of that learner."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str = "fictitious-play"


class StudyFile(_Section):
    """A whole file."""

    study: StudySection = StudySection()
    game: GameSection = GameSection()
    learner: LearnerSection = LearnerSection()

    def build(self, trust: bool = True) -> Study:
        """The study that it describes; a learner that is not allpay's own is imported only if it is trusted.

        Raises:
            AllpayError: if something in it does not fit.
        """
        if SEPARATOR in self.learner.name and not trust:
            raise AllpayError(
                f"learner.name = {short(self.learner.name)} is code that is not allpay's own: "
                "give --trust if you know where the file is from"
            )
        bidding = learner(self.learner.name, **(self.learner.model_extra or {}))
        study = Study(
            self.study.space(),
            bidding,
            self.game.setting(bidding.setting),
            self.study.samples,
            self.study.rounds,
            self.study.objective,
            self.study.seed,
            self.study.sampling,
            self.study.strategy,
            self.study.precision,
            None if self.study.designs is None else tuple(self.study.designs),
        )
        study.game(study.designs[0])  # what does not fit together in it is said now
        return study


def read_study(path: Path, trust: bool = True) -> Study:
    """The study of a TOML file; a learner that is not allpay's own is imported only if it is trusted.

    Raises:
        AllpayError: naming file, key, value and remedy, if the file cannot be read or something in it does not fit.
    """
    text = _text(path)
    try:
        return StudyFile.model_validate(_keys(text)).build(trust)
    except tomllib.TOMLDecodeError as error:
        raise AllpayError(f"{path} is not TOML: {shortened(str(error), 120)}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = shortened(one_line(".".join(str(part) for part in fault["loc"] if part not in UNION)), 60)
        last = key.split(".")[-1]
        if fault["type"] == "extra_forbidden" and last in StudyFile.model_fields:
            raise AllpayError(
                f"{path}: {last} is a section: got {key} = {short(fault['input'])}; write [{last}]"
            ) from None
        if fault["type"] == "extra_forbidden":
            sections: dict[str, type[BaseModel]] = {"study": StudySection, "game": GameSection}
            section = sections.get(str(fault["loc"][0]), StudyFile)
            one_of(f"key in {path}:", key.split(".")[-1], section.model_fields)
        if fault["type"] == "model_type":
            raise AllpayError(
                f"{path}: {key} is a section: got {key} = {short(fault['input'])}; write [{key}]"
            ) from None
        must = MUST_BE.get(fault["type"])
        given = short(fault["input"])
        what = f"must be {must}: got {given}" if must else f"= {given}: {fault['msg'].lower()}"
        raise AllpayError(f"{path}: {key} {what}") from None
    except AllpayError as error:
        raise AllpayError(f"{path}: {error}") from None


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
    kind.__name__: kind for kind in (DesignSpace, Setting, Private, Common, Uniform, Power, Beta, Lognormal, Discrete)
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
    given = {key: _made(value, trust) for key, value in specification.items()}
    return _called(Study, "a study", given)


def together(studies: Mapping[str, Study]) -> dict[str, Any]:
    """The specification of a folder: of one study under the name "", or of several, each in the folder of its name below."""
    if "" in studies:
        return studies[""].specification()
    return {"studies": {name: study.specification() for name, study in studies.items()}}


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
