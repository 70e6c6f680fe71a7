"""What the page and the processes that compute for it tell each other: plain data, which takes no time to import."""

from dataclasses import dataclass, field
from typing import Literal

MOST_PRIZES = 10
"""So many prizes can be moved by hand."""

MOST_BIDDERS = 200
"""More bidders than this are for the command line: the page is to answer at once."""

MOST_LETTERS = 300
"""Of a text in a box, or of one part of a link."""

MOST_BYTES = 5_000_000
"""A file that is opened is not longer."""

BOUNDS: dict[str, tuple[float, float]] = {
    "attendance": (0.05, 1.0),
    "reserve": (0.0, 2.0),
    "fee": (0.0, 1.0),
    "cost_power": (0.5, 5.0),
    "risk_aversion": (0.0, 10.0),
}
"""From where to where the numbers of a contest go."""


@dataclass(frozen=True)
class Contest:
    """One contest, and what is asked of it.

    Attributes:
        bidders: how many, or how many may turn up: `5`, `3:8`, `poisson(6)`.
        groups: kinds of bidders who differ, `2: uniform(0,1), cost 2` each; they say how many there are.
        prizes: the share of each rank, the first first; they sum to 1 and do not rise.
        purse: what all prizes come to in money; None if that is not told.
        values: the distribution of private values, or `common`.
        luck: see `allpay.contest.success`.
        attendance: the chance of each bidder to turn up.
        reserve, fee, cost_power, risk_aversion: see `allpay.study.file.GameSection`.
        objective: what prizes are to be good for.
        learner: how bidders learn.
    """

    bidders: str = "5"
    groups: tuple[str, ...] = ()
    prizes: tuple[float, ...] = (0.6, 0.3, 0.1)
    purse: float | None = None
    values: str = "uniform(0,1)"
    luck: str = "none"
    attendance: float = 1.0
    reserve: float = 0.0
    fee: float = 0.0
    cost_power: float = 1.0
    risk_aversion: float = 0.0
    objective: str = "revenue"
    learner: str = "fictitious-play"


def text_of(contest: Contest, name: str) -> str:
    """One part of a contest as it is written in a box or a link."""
    value = getattr(contest, name)
    if value is None:
        return ""
    if name == "groups":
        return "\n".join(value)
    return ",".join(map(plain, value)) if name == "prizes" else value if isinstance(value, str) else plain(value)


def plain(number: float) -> str:
    """A number as it is written, without a needless point."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


@dataclass(frozen=True)
class Read:
    """What was understood of what somebody wrote.

    Attributes:
        contest: with all changes that could be read.
        wrong: what is wrong with the others, by the part; under "" what does not fit together.
        query: what a link keeps of it.
        number: how many bidders there are at most.
    """

    contest: Contest
    wrong: dict[str, str]
    query: str
    number: int


@dataclass(frozen=True)
class Line:
    """Bids to draw: `x` is the value of a bidder, or where values are known the part of its bids that are lower."""

    name: str
    x: tuple[float, ...]
    bids: tuple[float, ...]


@dataclass(frozen=True)
class Answer:
    """What one split brings.

    Attributes:
        method: by theory, or by the quick solver.
        reason: why there is no formula, if there is none.
        told: what the split brings, by the text of an objective; None where that is not known.
        lines: what each kind of bidders bids.
        by_value: whether `x` of the lines is the value.
        gain: what a bidder could still gain, as a part of the top prize; 0 by theory.
        seconds: how long it took.
        words: for people: `headline`, `method`, `unit`, and what is told by its objective.
    """

    method: Literal["theory", "solver"]
    reason: str | None
    told: dict[str, float | None]
    lines: tuple[Line, ...]
    by_value: bool
    gain: float
    seconds: float
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Best:
    """The best split, and others beside it.

    Attributes:
        prizes: the shares of the best.
        worth: what each split brings of the objective, by its name: `yours`, `best`, `winner takes all`, `equal prizes`.
        exact: whether it is the best of all, and not of `tried` alone.
        tried: of how many tables it is the best where it is not exact.
        answer: what it brings.
        seconds: how long it took.
        words: for people: `headline`, `loses`, `split`, `objective`, and what each split brings by its name.
    """

    prizes: tuple[float, ...]
    worth: dict[str, float]
    exact: bool
    tried: int
    answer: Answer
    seconds: float
    words: dict[str, str] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The part of the best that yours loses; 0 if it is as good."""
        best, yours = self.worth["best"], self.worth["yours"]
        return 0.0 if best <= NOTHING or yours >= best * (1 - ALIKE) else 1 - yours / best


ALIKE = 1e-4
"""A split that brings the best but for this part is as good."""

NOTHING = 1e-6
"""An effort below this is told as none."""


@dataclass(frozen=True)
class Frame:
    """One picture of bidders who learn.

    Attributes:
        iterations: after how many iterations; None for a learner that has none.
        revenue, gain: `[rounds]` what the bids bring, and what a bidder could gain, as a part of the top prize.
        verdicts: `[rounds]`.
        lines: bids in the first round.
        by_value: whether `x` of the lines is the value.
        part: of the whole run, how far it is.
        sentence: what the verdicts mean; at the end only.
    """

    iterations: int | None
    revenue: tuple[float, ...]
    gain: tuple[float, ...]
    verdicts: tuple[str, ...]
    lines: tuple[Line, ...]
    by_value: bool
    part: float
    sentence: str | None


@dataclass(frozen=True)
class Known:
    """What past contests say.

    Attributes:
        values: the distribution of values, as text.
        attendance: the chance that a registered bidder bids.
        bidders: how many there were, in the kind of contest that is met most often.
        contests, bids: how many were read.
        median, low, high: the value of the bidder in the middle, and between which it lies.
        confidence: how often this is to hold.
        warnings: what speaks against these values; the page then keeps its own.
        told: all of it in words.
    """

    values: str
    attendance: float
    bidders: int
    contests: int
    bids: int
    median: float
    low: float
    high: float
    confidence: float
    warnings: tuple[str, ...] = ()
    told: str = ""
