"""What is read back from a study folder, which may come from anybody: the models that it must fit, and what it says of a study.

Nothing here imports or builds what a folder names. Numbers have bounds, so that nothing is allocated on the word of a file.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from allpay.contest.mechanism import MOST_BIDDERS
from allpay.errors import AllpayError, short
from allpay.learners.base import MOST_ROUNDS
from allpay.study.space import MOST_CHOSEN, freedom_of
from allpay.study.study import MOST_SAMPLES, first_of, stages_of

MOST_STUDIES = 1000
"""So many studies a folder may hold."""

TOLD = ("objective", "money", "round_to")
"""What a study says of how its rounds are evaluated and told: no round depends on it."""

RESERVED = ("batches", "bids", "outcomes", "checkpoints")
"""Folders of a study that no study below it can be named after."""

Text = Annotated[str, Field(max_length=300)]

Rank = Annotated[int, Field(ge=1, le=MOST_BIDDERS)]


class _Kept(BaseModel):
    """Fields that are not named are kept as they are: they are looked at where a study is built."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class ChoiceKept(_Kept):
    """What is chosen beside the weights."""

    type: Literal["Choice"]
    name: Annotated[str, Field(max_length=40, pattern=r"^[a-z]+(_[a-z]+)*(:[1-9][0-9]*)?$")]


class SpaceKept(_Kept):
    """The designs."""

    type: Literal["DesignSpace"]
    rule: Text
    bidders: int = Field(ge=2, le=MOST_BIDDERS)
    ranks: int = Field(ge=1, le=MOST_BIDDERS)
    region: Literal["simplex", "box"]
    tied: list[tuple[Rank, Rank]] = Field(default=[], max_length=MOST_BIDDERS)
    choose: list[ChoiceKept] = Field(default=[], max_length=MOST_CHOSEN)


class KindKept(_Kept):
    """A learner, a setting or values, by the name of its class."""

    type: Text


class StudyKept(_Kept):
    """The specification of one study."""

    space: SpaceKept
    learner: KindKept
    setting: KindKept
    samples: int = Field(ge=1, le=MOST_SAMPLES)
    rounds: int = Field(ge=1, le=MOST_ROUNDS)
    seed: int = Field(ge=0)
    objective: Text
    strategy: Literal["sample", "active"]
    given: list[Any] | None = Field(max_length=MOST_SAMPLES)


class FolderKept(BaseModel):
    """The file `study.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: int
    identity: Text
    specification: dict[str, Any]
    designs_per_batch: int = Field(ge=1, le=10**9)
    versions: dict[Text, Text] = Field(max_length=100)


class BatchKept(BaseModel):
    """What the file of a batch says of itself."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    study: Text
    batch: int
    versions: dict[Text, Text] = Field(max_length=100)
    content: Text
    bids: Text | None = None
    outcomes: Text | None = None


@dataclass(frozen=True)
class Outline:
    """What a folder says of a study, as far as its batches can be found and counted by it.

    Attributes:
        specification: all that it says.
        rule, bidders, ranks, names: see `DesignSpace`.
        learner: the name of a learner, or `module:Class`.
        samples, rounds: see `Study`.
        active: whether designs are chosen by what others have brought.
        first: how many designs are known before any is learned.
    """

    specification: dict[str, Any]
    rule: str
    bidders: int
    ranks: int
    learner: str
    samples: int
    rounds: int
    active: bool
    first: int
    names: tuple[str, ...]

    @cached_property
    def stages(self) -> tuple[range, ...]:
        """The numbers of the designs that are known together, as `Study.stages`."""
        return stages_of(self.first, self.samples)


def outline_of(specification: dict[str, Any]) -> Outline:
    """What a specification says.

    Raises:
        AllpayError: if it is of no study.
    """
    try:
        kept = StudyKept.model_validate(specification)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise AllpayError(
            f"the folder holds no study that can be read: {short(key)} = {short(fault['input'])}, {fault['msg'].lower()}"
        ) from None
    active = kept.strategy == "active"
    chosen = tuple(choice.name for choice in kept.space.choose)
    freedom = freedom_of(kept.space.ranks, kept.space.region == "box", kept.space.tied, len(chosen))
    first = first_of(kept.samples, freedom, active, None if kept.given is None else len(kept.given))
    return Outline(
        specification,
        kept.space.rule,
        kept.space.bidders,
        kept.space.ranks,
        kept.learner.type,
        kept.samples,
        kept.rounds,
        active,
        min(first, kept.samples),
        (*(f"w{k + 1}" for k in range(kept.space.bidders)), *chosen),
    )


def outlines_of(specification: dict[str, Any]) -> dict[str, Outline]:
    """What a folder's specification says of its studies, by their folders below it.

    Raises:
        AllpayError: if it is of none, or names a folder that lies elsewhere.
    """
    return {name: outline_of(held) for name, held in parted(specification).items()}


def parted(specification: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The specifications of the studies in a folder, by their folders below it; "" for the folder itself.

    Raises:
        AllpayError: if a name is not plain, or a study is none.
    """
    if "studies" not in specification:
        return {"": specification}
    studies = specification["studies"]
    if not isinstance(studies, dict) or not 1 <= len(studies) <= MOST_STUDIES:
        raise AllpayError(f"the folder holds no studies that can be read: studies = {short(studies)}")
    for name, held in studies.items():
        check_name(name)
        if not isinstance(held, dict):
            raise AllpayError(f"the folder holds no study that can be read: {short(name)} is {short(held)}")
    return studies


def without_objective(specification: dict[str, Any], active: bool = False) -> dict[str, Any]:
    """A specification but for what designs are good for: two with the same can share a folder.

    Args:
        specification: of a folder.
        active: whether to keep it in active studies, whose designs are chosen by it.
    """
    if not isinstance(specification, dict):  # which is refused elsewhere
        return specification
    studies = specification.get("studies")
    if isinstance(studies, dict):
        return {"studies": {name: without_objective(held, active) for name, held in studies.items()}}
    if active and specification.get("strategy") == "active":
        return specification
    return {key: value for key, value in specification.items() if key not in TOLD}


def check_name(name: str) -> None:
    """Raise AllpayError unless a study's name is a plain path below a folder: words with / between, none a way out of it."""
    parts = name.split("/")
    plain = all(re.fullmatch(r"\w[\w.+-]*", part) and not part.endswith(".") for part in parts)
    if not plain or len(parts) > 3 or len(name) > 200 or parts[0].lower() in RESERVED:
        raise AllpayError(
            f"a study's name must be at most three words of letters, digits, '.', '_', '-' with / between: got {short(name)}"
        )
