"""How the designs of a study are parted into batches, which are learned, stored and lost together. No result depends on it.

A batch costs some milliseconds beside what is learned in it: it travels to a worker and back, and its file is flushed to the
disk (`benchmarks/scaling.py`). So it is made to last long enough for these not to matter, yet no longer, for it is what a dying
worker loses; and so large that a folder holds thousands of files at most. Its size is a function of the study alone.
"""

import math
from typing import Any

from allpay.contest.bidder import levels_of
from allpay.contest.game import Setting
from allpay.errors import AllpayError
from allpay.study.received import Outline
from allpay.study.study import Study

SHARES, EACH = 0.3, 1.0
"""To this power of the bidders rises what a run takes: of a learner on exact payoffs, which knows rivals by their share of each
bid, and of one that draws for each bidder (`benchmarks/growth.py`)."""

SECONDS = {
    "fictitious-play": (0.02, SHARES),
    "epsilon-greedy": (0.05, EACH),
    "regret-matching": (0.06, SHARES),
    "multiplicative-weights": (0.25, SHARES),
    "logit-play": (0.2, SHARES),
    "interior-point": (0.02, SHARES),
    "logit-equilibrium": (0.05, SHARES),
    "level-k": (0.01, SHARES),
    "dqn": (1.4, EACH),
    "ppo": (1.7, EACH),
}
"""About how long one core takes for a run of each learner with its usual setting, measured by `benchmarks/scaling.py`, and to
which power of the bidders that rises where they are alike and there is no luck."""

UNKNOWN = (0.1, EACH)
"""The same for another learner."""

LEAST = 1.0
"""Seconds that a batch takes one core at least, if it is as long as it seems: hundreds of times what it costs."""

LEAST_ACTIVE = 0.1
"""The same in an active study, whose designs come in small groups that would else leave workers idle: this is still ten times
what a batch costs."""

MOST_BATCHES = 10_000
"""Into how many batches a study is parted at most: they last longer instead. Enough for a thousand workers, ten for each."""

REFUSED = 1_000_000
"""With more batches than this a study is refused."""

MEMORY = 2**29
"""Bytes that the strategies learned in a batch may take; this goes before all else."""


def batches_of(study: Study | Outline, size: int) -> tuple[range, ...]:
    """The designs of each batch, at most so many; those of one are all known at the same time.

    Raises:
        AllpayError: if they are more than a folder can hold.
    """
    if study.samples > REFUSED * size:
        raise AllpayError(
            f"{study.samples:,} designs in batches of {size:,} are more than {REFUSED:,} files: take fewer designs"
        )
    return tuple(
        range(first, min(first + size, stage.stop))
        for stage in study.stages
        for first in range(stage.start, stage.stop, size)
    )


def designs_per_batch(study: Study) -> int:
    """How many designs of a study are learned and kept together."""
    assert study.setting is not None
    seconds = seconds_per_run(study) * study.rounds
    least = LEAST_ACTIVE if study.active else LEAST
    room = MEMORY / (8 * _cells(study.setting) * study.space.bidders * study.rounds)
    size = max(1, min(math.ceil(max(least / seconds, study.samples / MOST_BATCHES)), int(room)))
    # runs that a learner trains side by side in chunks should fill them
    chunk = getattr(study.learner, "chunk", 1)
    whole = chunk // math.gcd(chunk, study.rounds)
    return whole * math.ceil(size / whole)


def seconds_per_run(study: Study) -> float:
    """About how long one core takes for a round under one design: as long as usual, times how much larger it is than usual."""
    learner: Any = study.learner
    seconds, power = SECONDS.get(learner.name, UNKNOWN)
    usual = type(learner)() if learner.name in SECONDS else learner
    longer = getattr(learner, "iterations", 1) / getattr(usual, "iterations", 1)
    assert study.setting is not None
    larger = _cells(study.setting) / _cells(learner.setting)
    if isinstance(study.setting.values, tuple) or study.setting.luck.lucky:
        power = EACH
    return seconds * longer * larger * (study.space.bidders / 3) ** power


def _cells(setting: Setting) -> int:
    return setting.bid_levels * levels_of(setting.values)
