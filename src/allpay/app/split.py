"""Prizes that follow the hand: one of them is dragged, the others give way. Pure functions of the shares."""

from collections.abc import Sequence

HALVINGS = 200
"""How often the factor of the other prizes is halved; a float has no more digits."""

NEXT_TO_NOTHING = 1e-9
"""A prize of 0 counts as so much where others have to take what one gives up."""


def reach(ranks: int, rank: int) -> tuple[float, float]:
    """From where to where a prize can go so that no later one is higher: of `ranks` in all, `rank` from 0.

    >>> reach(3, 0), reach(3, 1)
    ((0.3333333333333333, 1.0), (0.0, 0.5))
    """
    return (1.0 / ranks if rank == 0 else 0.0), 1.0 / (rank + 1)


def dragged(shares: Sequence[float], rank: int, share: float) -> tuple[float, ...]:
    """The shares after one is dragged: they sum to 1 and do not rise, and the others keep their proportions if they can.

    With share x of rank k, each other share w becomes s·w, but at least x before k and at most x behind it; s is the factor
    at which the sum is 1. Where x cannot be, it is the nearest that can.

    >>> dragged((0.6, 0.3, 0.1), 0, 0.8)
    (0.8, 0.15, 0.05)
    >>> dragged((1.0, 0.0), 1, 0.7)
    (0.5, 0.5)
    """
    low, high = reach(len(shares), rank)
    x = min(max(share, low), high)
    others = [max(w, NEXT_TO_NOTHING) for w in shares]

    def moved(factor: float) -> list[float]:
        return [
            x if k == rank else max(factor * w, x) if k < rank else min(factor * w, x) for k, w in enumerate(others)
        ]

    least, most = 0.0, 1.0 / NEXT_TO_NOTHING
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if sum(moved(middle)) < 1 else (least, middle)
    return rounded(moved(most))


def resized(shares: Sequence[float], ranks: int) -> tuple[float, ...]:
    """The same with more prizes, each new one half as high as the last, or with fewer.

    >>> resized((0.6, 0.4), 1)
    (1.0,)
    """
    found = list(shares[:ranks])
    while len(found) < ranks:
        found.append(found[-1] / 2)
    return rounded(found)


def equal(ranks: int) -> tuple[float, ...]:
    """As many equal prizes."""
    return (1.0 / ranks,) * ranks


def rounded(shares: Sequence[float]) -> tuple[float, ...]:
    """Shares of sum 1 to six digits, so that a link is short: the first takes what rounding leaves."""
    whole = sum(shares)
    rest = [round(w / whole, 6) for w in shares[1:]]
    return (round(1.0 - sum(rest), 6), *rest)
