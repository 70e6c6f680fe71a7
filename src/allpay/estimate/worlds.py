"""What follows from each number of a range that data do not tell. `over` finds it."""

from dataclasses import dataclass

from allpay.contest.values import Distribution


@dataclass(frozen=True)
class World:
    """What follows if one number of the range is the true one.

    Attributes:
        number: it.
        text: what it is called.
        values: of each group.
        power: of the cost of bids.
        luck: that decides ranks; empty where bids alone do.
        best: `[ranks]` the split that brings most.
        loss: what the split that is safe loses, as a part of that.
    """

    number: float
    text: str
    values: tuple[Distribution, ...]
    power: float
    luck: str
    best: tuple[float, ...]
    loss: float


@dataclass(frozen=True)
class Open:
    """What data leave open.

    Attributes:
        what: they do not tell: `cost power` or `luck`.
        worlds: over the range.
        split: `[ranks]` the one whose largest loss over the range is least.
        bidders: of the contests for which splits are.
        method: `theory`, or `learned`.
        excluded: numbers of the range that data contradict, as no distribution explains bids then.
        within: the ends of the range that was given; None in a folder that does not say.
    """

    what: str
    worlds: tuple[World, ...]
    split: tuple[float, ...]
    bidders: int
    method: str
    excluded: tuple[str, ...] = ()
    within: tuple[float, float] | None = None

    @property
    def kept(self) -> int:
        """The world in which the safe split loses least, the middle of those that are the same."""
        least = min(world.loss for world in self.worlds)
        near = [k for k, world in enumerate(self.worlds) if world.loss <= least + 1e-9]
        return near[len(near) // 2]
