"""Weights in money, and in steps that can be announced, in words."""

from collections.abc import Sequence

import numpy as np

from allpay.contest.amounts import Amounts, runs_in_words

CARRIES = 1e-6
"""A weight below this is none."""


def in_money(weights: Sequence[float], money: float | None) -> str:
    """The weights of the ranks that carry any: amounts of what all prizes come to, or percent.

    >>> in_money((0.75, 0.125, 0.125, 0.0), 20000), in_money((0.75, 0.25), None)
    ('15,000, 2,500 × 2', '75%, 25%')
    """
    carrying = int(np.max(np.flatnonzero(np.array(weights) > CARRIES), initial=0)) + 1
    whole = Amounts((100.0,), "percent") if money is None else Amounts((float(money),), "money")
    return runs_in_words([whole.of(float(w)) for w in weights[:carrying]])


def step_in_words(step: float, money: float | None) -> str:
    """A step that weights are told in: `steps of 250 of 20,000`."""
    whole = Amounts((100.0,), "percent") if money is None else Amounts((float(money),), "money")
    return f"steps of {whole.of(step)}" + ("" if money is None else f" of {whole.of(1.0)}")


def share_lost(loss: float) -> str:
    """A part that is lost, in percent; less than a thousandth of a percent is next to nothing.

    >>> share_lost(0.00123), share_lost(1e-7), share_lost(-1e-9)
    ('0.12%', 'less than 0.001%', 'nothing')
    """
    if loss <= 1e-12:
        return "nothing"
    return f"{100 * loss:.2g}%" if loss >= 1e-5 else "less than 0.001%"
