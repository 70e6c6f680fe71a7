"""Past contests from a file that somebody uploads: what they say of values. The file is data, and bounded in size."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from allpay.app.state import MOST_BYTES, Contest, Known
from allpay.contest.preferences import PowerCost
from allpay.contest.values import Curve, curve, text_of
from allpay.errors import AllpayError
from allpay.estimate.past import read_contests
from allpay.estimate.values import estimate_values

RESAMPLES = 20
"""How often contests are drawn anew: enough to see how sure the data are."""

ENDINGS = (".csv", ".tsv", ".txt")


def known(contest: Contest, name: str, content: bytes) -> Iterator[Known]:
    """What a file of past contests says, once; where it has no prizes, those of the page are taken.

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
        try:
            contests, _ = read_contests(path)
        except AllpayError as error:
            if "prize" not in str(error):
                raise
            contests, _ = read_contests(path, prizes=contest.prizes)
    found = estimate_values(contests, cost=PowerCost(contest.cost_power), resamples=RESAMPLES)
    middle = found.levels.index(0.5)
    values = found.distribution
    if isinstance(values, Curve):  # to six digits, so that a link is short
        values = curve(*(round(c, 6) for c in values.coefficients))
    yield Known(
        text_of(values),
        min(max(round(found.presence, 4), 0.05), 1.0),
        found.kinds[0].kind.bidders,
        found.contests,
        found.bids,
        float(found.values[middle]),
        found.low[middle],
        found.high[middle],
        found.confidence,
    )
