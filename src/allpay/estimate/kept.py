"""An estimate in a file, and back: numbers and names of distributions, no code, no bid of anybody."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import distribution, text_of
from allpay.errors import AllpayError, shortened
from allpay.estimate.conditions import Kind
from allpay.estimate.luck import FoundLuck
from allpay.estimate.power import FoundPower
from allpay.estimate.values import EstimatedGroups, EstimatedValues, Explained, Tried
from allpay.estimate.worlds import Open, World
from allpay.files import read_text, write
from allpay.versions import versions

FILE = "estimate.json"
"""Where a folder has it."""

FORMAT = 1

MOST_CHARACTERS = 50_000_000
"""A longer file is none of these."""

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Tried(_Model):
    family: str
    held_out: Number | None
    parameters: int


_Mean = Annotated[list[Number], Field(min_length=2, max_length=2)] | None


class _Kind(_Model):
    bidders: Annotated[int, Field(ge=1)]
    prizes: list[Number]
    contests: Annotated[int, Field(ge=1)]
    bids: Annotated[int, Field(ge=1)]
    observed: list[Number]
    predicted: list[Number]
    beyond: Number | None
    error: Number | None
    counts: list[Annotated[int, Field(ge=0)]] = []
    group: int = 0
    presences: list[Annotated[float, Field(gt=0, le=1)]] = []
    total: _Mean = None
    best: _Mean = None


class _Power(_Model):
    number: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    band: _Mean
    draws: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    within: Annotated[list[Number], Field(min_length=2, max_length=2)]
    kinds: int


class _World(_Model):
    number: Number
    text: str
    values: list[str]
    power: Number
    luck: str
    best: list[Number]
    loss: Number


class _Open(_Model):
    what: str
    worlds: Annotated[list[_World], Field(min_length=1)]
    split: list[Number]
    bidders: Annotated[int, Field(ge=1)]
    method: str
    excluded: list[str]
    within: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None


class _Part(_Model):
    distribution: str
    family: str
    tried: list[_Tried]
    levels: list[Number]
    low: list[Number]
    high: list[Number]
    confidence: Number
    draws: list[str]
    presence: Annotated[float, Field(gt=0, le=1)]
    presences: list[Annotated[float, Field(gt=0, le=1)]] = []
    purse: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    contests: int
    bids: int
    cost_power: Number
    cost_scale: Number
    payments: list[Number]
    kinds: Annotated[list[_Kind], Field(min_length=1)]
    seed: int
    group: str = ""
    zeros: Annotated[float, Field(ge=0, le=1)] = 0.0
    power: _Power | None = None
    told: Annotated[int, Field(ge=0)] = 0
    misfit: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    apart: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    highest: Annotated[float, Field(ge=0, le=1)] = 0.0


class _Kept(_Part):
    format: int
    versions: dict[str, Any]
    open: _Open | None = None


class _Luck(_Model):
    text: str
    number: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    given: bool
    said: Number | None
    band: Annotated[list[Number], Field(min_length=2, max_length=2)] | None
    draws: list[Number]
    orders: int
    upsets: Number
    scores: bool = False


class _Groups(_Model):
    format: int
    versions: dict[str, Any]
    groups: Annotated[list[_Part], Field(min_length=1)]
    counts: list[Annotated[int, Field(ge=0)]]
    share: Number
    luck: _Luck | None = None
    open: _Open | None = None


def values_of(estimate: EstimatedValues | EstimatedGroups) -> dict[str, Any]:
    """All of an estimate as plain JSON values.

    Raises:
        AllpayError: if bids have a cost of one's own, which no file can name.
    """
    same = {
        "format": FORMAT,
        "versions": versions(),
        "open": None if estimate.open is None else _open_values(estimate.open),
    }
    if isinstance(estimate, EstimatedValues):
        return {**same, **_part_values(estimate)}
    groups = [_part_values(part) for part in estimate.parts]
    luck = None if estimate.luck is None else _luck_values(estimate.luck)
    return {**same, "groups": groups, "counts": list(estimate.counts), "share": estimate.share, "luck": luck}


def _open_values(found: Open) -> dict[str, Any]:
    worlds = [{**asdict(world), "values": [text_of(v) for v in world.values]} for world in found.worlds]
    return {**asdict(found), "worlds": worlds, "split": list(found.split), "excluded": list(found.excluded)}


def _open(kept: _Open) -> Open:
    worlds = tuple(
        World(
            *(world.number, world.text, tuple(distribution(text) for text in world.values), world.power, world.luck),
            *(tuple(world.best), world.loss),
        )
        for world in kept.worlds
    )
    within = None if kept.within is None else (kept.within[0], kept.within[1])
    return Open(kept.what, worlds, tuple(kept.split), kept.bidders, kept.method, tuple(kept.excluded), within)


def _luck_values(luck: FoundLuck) -> dict[str, Any]:
    plain = {name: getattr(luck, name) for name in ("text", "number", "given", "said", "orders", "upsets", "scores")}
    band = None if luck.band is None else list(luck.band)
    return {**plain, "band": band, "draws": list(luck.draws)}


def _part_values(estimate: EstimatedValues) -> dict[str, Any]:
    if not isinstance(estimate.cost, PowerCost):
        raise AllpayError("an estimate with a cost of one's own cannot be kept in a file: use it from Python")
    plain = ("family", "confidence", "presence", "purse", "contests", "bids", "seed", "group", "zeros", "told")
    return {
        "distribution": text_of(estimate.distribution),
        **{name: getattr(estimate, name) for name in plain},
        **{name: list(getattr(estimate, name)) for name in ("levels", "low", "high", "payments", "presences")},
        "tried": [
            {
                "family": t.family,
                "held_out": t.held_out if t.held_out == t.held_out else None,
                "parameters": t.parameters,
            }
            for t in estimate.tried
        ],
        "misfit": estimate.misfit,
        "apart": estimate.apart,
        "highest": estimate.highest,
        "draws": [text_of(draw) for draw in estimate.draws],
        "cost_power": estimate.cost.power,
        "cost_scale": estimate.cost.scale,
        "power": None if estimate.power is None else asdict(estimate.power),
        "kinds": [
            {
                "bidders": found.kind.bidders,
                "prizes": list(found.kind.prizes),
                "contests": found.contests,
                "bids": found.bids,
                "observed": list(found.observed),
                "predicted": list(found.predicted),
                "beyond": found.beyond,
                "error": found.error,
                "counts": list(found.kind.counts),
                "group": found.kind.group,
                "presences": list(found.kind.presences),
                "total": None if found.total is None else list(found.total),
                "best": None if found.best is None else list(found.best),
            }
            for found in estimate.kinds
        ],
    }


def save(estimate: EstimatedValues | EstimatedGroups, folder: Path) -> None:
    """Write an estimate into a folder, which is there."""
    text = json.dumps(values_of(estimate), indent=1)
    write(folder / FILE, lambda file: file.write(text.encode()))


def load(folder: Path) -> EstimatedValues | EstimatedGroups:
    """The estimate that a folder holds: of bidders alike, or of groups.

    Raises:
        AllpayError: if it holds none, or one that is damaged.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise AllpayError(f"{shortened(str(folder), 120)} holds no estimate: make one with allpay estimate")
    text = read_text(path, MOST_CHARACTERS)
    try:
        kept = (_Groups if _of_groups(text) else _Kept).model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise AllpayError(f"{path} holds no estimate, or is damaged: {shortened(where, 40)}: {first['msg']}") from None
    if kept.format != FORMAT:
        raise AllpayError(f"{path} is of format {kept.format}, this program reads {FORMAT}: estimate anew")
    told = None if kept.open is None else _open(kept.open)
    if isinstance(kept, _Kept):
        return replace(_part(kept), open=told)
    if len(kept.counts) != len(kept.groups) or not any(kept.counts):
        raise AllpayError(f"{path} holds no estimate, or is damaged: counts do not fit its groups")
    parts = tuple(_part(part) for part in kept.groups)
    luck = None if kept.luck is None else _luck(kept.luck)
    return EstimatedGroups(parts, tuple(kept.counts), kept.share, luck, told)


def _luck(kept: _Luck) -> FoundLuck:
    success(kept.text)  # which other commands read
    band = None if kept.band is None else (kept.band[0], kept.band[1])
    return FoundLuck(
        kept.text, kept.number, kept.given, kept.said, band, tuple(kept.draws), kept.orders, kept.upsets, kept.scores
    )


def _of_groups(text: str) -> bool:
    """Whether a file is of groups; what cannot be read is for others to say."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "groups" in found


def _part(kept: _Part) -> EstimatedValues:
    payments = tuple(kept.payments) or (1.0,)
    return EstimatedValues(
        distribution=distribution(kept.distribution),
        family=kept.family,
        tried=tuple(
            Tried(t.family, float("nan") if t.held_out is None else t.held_out, t.parameters) for t in kept.tried
        ),
        levels=tuple(kept.levels),
        low=tuple(kept.low),
        high=tuple(kept.high),
        confidence=kept.confidence,
        draws=tuple(distribution(text) for text in kept.draws),
        presence=kept.presence,
        purse=kept.purse,
        contests=kept.contests,
        bids=kept.bids,
        cost=PowerCost(kept.cost_power, kept.cost_scale),
        payments=payments,
        kinds=tuple(
            Explained(
                Kind(
                    *(k.bidders, tuple(k.prizes), payments, payments[-1], kept.presence),
                    *(tuple(k.counts), k.group, tuple(k.presences)),
                ),
                k.contests,
                k.bids,
                tuple(k.observed),
                tuple(k.predicted),
                k.beyond,
                k.error,
                None if k.total is None else (k.total[0], k.total[1]),
                None if k.best is None else (k.best[0], k.best[1]),
            )
            for k in kept.kinds
        ),
        seed=kept.seed,
        group=kept.group,
        zeros=kept.zeros,
        told=kept.told,
        misfit=kept.misfit,
        apart=kept.apart,
        highest=kept.highest,
        presences=tuple(kept.presences),
        power=None if kept.power is None else _power(kept.power),
    )


def _power(kept: _Power) -> FoundPower:
    band = None if kept.band is None else (kept.band[0], kept.band[1])
    return FoundPower(kept.number, band, tuple(kept.draws), (kept.within[0], kept.within[1]), kept.kinds)
