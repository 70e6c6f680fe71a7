"""What a folder keeps of the best design and of those it is held against: bids by value and group, beside theory, and how they
were learned. Plain numbers, from which `allpay report` draws without learning anything again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.files import read_text
from allpay.objectives import Objective
from allpay.references import Reference
from allpay.report.learned import distribution_of, mean_bids
from allpay.study.bids import bids_of
from allpay.theory import equilibrium_or_reason, value_or_reason

if TYPE_CHECKING:
    from allpay.outcome import Outcome
    from allpay.theory import Equilibrium

FILE = "references.json"
"""Where a study's folder has it."""

FORMAT = 1

MOST_TEXT = 50_000_000
"""Characters that the file may have."""

MOST_POINTS = 120
"""Of a curve, so many points are kept."""

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Line(_Model):
    """A curve: places and heights; a band, if it has one, as its lower and upper edge."""

    x: list[Number]
    y: list[Number]
    low: list[Number] | None = None
    high: list[Number] | None = None


class GroupBids(_Model):
    """What bidders of one group bid: the mean and the middle 80 % by value, or the share of bids up to each where all
    values are known; and what theory says."""

    bidders: int
    learned: Line
    theory: Line | None


class Told(_Model):
    """One design and what bidders do under it, as plain numbers.

    Attributes:
        name: see `Reference`.
        design: its weights, and what is chosen beside them.
        rounds: the objective in each round.
        verdicts: on each round.
        equilibrium: the objective in equilibrium; None where no formula is known, for which `reason` says why.
        by_value: whether `groups` have bids by value, or the distribution of bids where all values are known.
        groups: what is bid.
        history: exploitability along each round, at even distances.
        iterations: how long each round was.
    """

    name: str
    design: list[Number]
    rounds: list[Number]
    verdicts: list[str]
    equilibrium: Number | None
    reason: str | None
    by_value: bool
    groups: list[GroupBids]
    history: list[list[Number]]
    iterations: list[int]


class _Kept(BaseModel):
    format: int
    results: list[list[Told]]


def told(reference: Reference, goal: Objective) -> Told:
    """A reference as plain numbers."""
    outcome = reference.outcome
    game = outcome.games[0]
    found, value = equilibrium_or_reason(game), value_or_reason(game, goal)
    exact = None if isinstance(found, str) else found
    several = game.value_levels > 1
    return Told(
        name=reference.name,
        design=list(reference.design),
        rounds=list(reference.value.rounds),
        verdicts=outcome.verdicts[0].tolist(),
        equilibrium=None if isinstance(value, str) else value,
        reason=value if isinstance(value, str) else None,
        by_value=several,
        groups=_by_value(outcome, exact) if several else _distributions(outcome, exact),
        history=[_thinned(row[np.isfinite(row)]).tolist() for row in outcome.history[0]],
        iterations=outcome.iterations[0].tolist(),
    )


def kept(results: Sequence[Sequence[Told]]) -> dict[str, Any]:
    """The references of several studies, as they are written into a file."""
    return {"format": FORMAT, "results": [[rounded(one.model_dump()) for one in few] for few in results]}


def load(folder: Path) -> list[list[Told]]:
    """The references that a folder keeps, of each of its studies; none if it was made before they were kept.

    Raises:
        AllpayError: if the file is damaged.
    """
    path = folder / FILE
    if not path.is_file() or path.is_symlink():
        return []
    try:
        found = _Kept.model_validate_json(read_text(path, MOST_TEXT))
    except ValidationError as error:
        first = error.errors()[0]
        raise AllpayError(f"{path} is damaged ({first['msg']}): delete it, the report does without it") from None
    return found.results


def rounded(value: Any, digits: int = 6) -> Any:
    """The same plain values with so many significant digits, which are all that a picture shows."""
    if isinstance(value, dict):
        return {key: rounded(v, digits) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v, digits) for v in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _by_value(outcome: "Outcome", exact: "Equilibrium | None") -> list[GroupBids]:
    groups, table = [], bids_of(outcome)
    for i, (bidder, count) in enumerate(outcome.games[0].groups):
        own = table.filter(table["group"] == i + 1)
        rounds = own["round"].n_unique()
        values, mean, low, high = (
            own[name].to_numpy().reshape(rounds, -1).mean(axis=0) for name in ("value", "mean", "q10", "q90")
        )
        theory = None if exact is None else mean_bids(exact, i, levels_of(bidder.values), len(values))
        learned = Line(x=values.tolist(), y=mean.tolist(), low=low.tolist(), high=high.tolist())
        groups.append(GroupBids(bidders=count, learned=learned, theory=_line(values, theory)))
    return groups


def _distributions(outcome: "Outcome", exact: "Equilibrium | None") -> list[GroupBids]:
    game, profiles = outcome.games[0], outcome.strategy[0][:, :, 0]
    ends, groups = np.cumsum(game.counts), []
    for i, count in enumerate(game.counts.tolist()):
        own = profiles[:, [i]] if profiles.shape[1] == len(ends) else profiles[:, ends[i] - count : ends[i]]
        share = np.minimum(np.cumsum(own.mean(axis=(0, 1))), 1.0)
        places, shares = (
            (None, None) if exact is None else distribution_of(exact.groups[i].bid_at, float(game.bid_grid[-1]))
        )
        theory = None if places is None or shares is None else _line(_thinned(places), _thinned(shares))
        learned = Line(x=game.bid_grid.tolist(), y=share.tolist())
        groups.append(GroupBids(bidders=count, learned=learned, theory=theory))
    return groups


def _line(x: Array, y: Array | None) -> Line | None:
    return None if y is None else Line(x=x.tolist(), y=y.tolist())


def _thinned(row: Array) -> Array:
    """At most so many of the points of a curve, its ends among them."""
    if len(row) <= MOST_POINTS:
        return row
    return row[np.unique(np.linspace(0, len(row) - 1, MOST_POINTS).round().astype(int))]
