"""Bidders who learn, watched: runs of ever more iterations from the same beginning, each a picture of where they are."""

import time
from collections.abc import Iterator
from dataclasses import fields

from allpay.app.answers import all_private, lines_learned
from allpay.app.contest import study_of, weights_of
from allpay.app.state import Contest, Frame
from allpay.errors import AllpayError
from allpay.learners import kind_of
from allpay.learners import learner as named
from allpay.learners.base import outcome_from, run_seeds

ROUNDS = 3
"""So many rounds of learning are watched side by side."""

FIRST = 4
"""The iterations of the first picture."""

GROWTH, FAST = 1.3, 3.0
"""How much longer the next run is, where runs are quick and where they are not."""

AUCTIONS = 100
"""What auctions bring in which the bids are drawn is not shown, so that few are."""

QUICK = 0.4
"""Seconds up to which a run is quick."""


def frames(contest: Contest, seed: int = 0) -> Iterator[Frame]:
    """The pictures of bidders who learn in a contest.

    Runs with the same seed begin alike, so that a longer one shows where the shorter one goes. A learner whose steps depend on
    how many there will be is shown as it ends after so many.

    Raises:
        AllpayError: if this learner cannot play this contest.
    """
    study = study_of(contest)
    game, seeds = study.game(weights_of(contest)), run_seeds(seed, 1, ROUNDS)
    known = {field.name for field in fields(kind_of(contest.learner))}  # type: ignore[arg-type]
    whole = study.learner.iterations if "iterations" in known else None  # type: ignore[attr-defined]
    given = {"auctions": AUCTIONS} if "auctions" in known else {}
    length = whole if whole is None else min(FIRST, whole)
    while True:
        start = time.perf_counter()
        try:
            bidding = named(contest.learner, iterations=length, **given)
        except AllpayError:  # too short for this learner
            assert length is not None
            assert whole is not None
            length = min(2 * length, whole)
            continue
        outcome = outcome_from(bidding, [game], seeds)
        last = length == whole
        yield Frame(
            length,
            tuple(outcome.revenue[0].tolist()),
            tuple(outcome.relative_exploitability[0].tolist()),
            tuple(outcome.verdicts[0].tolist()),
            lines_learned(outcome),
            all_private(game),
            1.0 if whole is None or length is None else length / whole,
            outcome.sentence if last else None,
        )
        if last:
            return
        assert length is not None
        assert whole is not None
        growth = GROWTH if time.perf_counter() - start < QUICK else FAST
        length = min(max(int(length * growth), length + 1), whole)
