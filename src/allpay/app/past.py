"""Past contests from a file that somebody uploads: what they say of values. The file is data, and bounded in size."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from allpay.app.state import MOST_BYTES, Contest, Known
from allpay.app.words import past_in_words
from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import Curve, curve, text_of
from allpay.errors import AllpayError
from allpay.estimate.known import estimate_known, known_values
from allpay.estimate.over import parts_of
from allpay.estimate.past import read_contests
from allpay.estimate.values import estimate_values
from allpay.estimate.with_luck import estimate_with_luck
from allpay.report.estimated import warnings_of

RESAMPLES = 20
"""How often contests are drawn anew: enough to see how sure the data are."""

ENDINGS = (".csv", ".tsv", ".txt")


def known(contest: Contest, name: str, content: bytes) -> Iterator[Known]:
    """What a file of past contests says, once, of bidders alike; the cost of bids and luck are those of the page, and where the
    file has no prizes, its prizes too.

    Raises:
        AllpayError: if it is too long, or cannot be read.
    """
    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        raise AllpayError(
            f"past contests are a table in text, a file ending in {', '.join(ENDINGS)}: got {name[-40:]!r}"
        )
    if len(content) > MOST_BYTES:
        raise AllpayError(f"the file has more than {MOST_BYTES:,} bytes: use allpay estimate for it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"contests{ending}"  # whatever the name says
        path.write_bytes(content)
        lucky = success(contest.luck).lucky
        try:
            contests, _ = read_contests(path, luck=lucky)
        except AllpayError as error:
            if "prize" not in str(error):
                raise
            contests, _ = read_contests(path, prizes=contest.prizes, luck=lucky)
    alike = replace(contests, group=None, groups=())
    asked: dict[str, Any] = {"cost": PowerCost(contest.cost_power), "resamples": RESAMPLES}
    if lucky:
        (found,) = parts_of(estimate_with_luck(alike, contest.luck, **asked))
    elif known_values(alike):
        (found,) = parts_of(estimate_known(alike, **asked))
    else:
        found = estimate_values(alike, **asked)
    middle = found.levels.index(0.5)
    values = found.distribution
    if isinstance(values, Curve):  # to six digits, so that a link is short
        values = curve(*(round(c, 6) for c in values.coefficients))
    told = Known(
        text_of(values),
        min(max(round(found.presence, 4), 0.05), 1.0),
        found.kinds[0].kind.bidders,
        found.contests,
        found.bids,
        float(found.values[middle]),
        found.low[middle],
        found.high[middle],
        found.confidence,
        tuple(warnings_of(found)),
    )
    yield replace(told, told=past_in_words(told, contest))
