"""The results of the checks in writing: a table for the terminal, and the page "How we know" of the documentation."""

import math

from allpay.verify.checks import CONTESTS, PLAYED, UNEQUAL, Check, Report

LAYERS = {
    "theory": (
        "Theory",
        "The equilibrium that `allpay.theory` computes, against closed forms as they are published, and against the bid "
        "function written out anew and integrated by another method (adaptive quadrature; none of the program's own).",
    ),
    "payoffs": (
        "Exact payoffs",
        "The bids of theory, each moved to the nearest of a grid, in the payoff engine, which knows ties and no formula of "
        "an equilibrium. What a bidder could still gain is at most what half a step of the grid costs, and falls at least "
        "in proportion to the step: the bid 0 then stands for all bids up to half a step, and ties with them for nothing.",
    ),
    "auctions": (
        "Sampled auctions",
        "Auctions drawn at random and played with those bids, against the exact payoffs: within four standard errors.",
    ),
}
"""What each layer is called, and what is asked of it."""


def as_text(report: Report) -> str:
    """Every check in a line of its own, and the sentence that sums them up."""
    rows = [("case", "", "by", "check", "value", "expected", "error", "tolerance", "")]
    rows += [
        (
            check.family,
            check.point,
            check.layer,
            check.what,
            _number(check.value),
            ("≥ " if check.at_least else "") + _number(check.expected),
            _size(check.error),
            _size(check.tolerance),
            "pass" if check.passed else "FAIL",
        )
        for check in report.checks
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    left = {0, 1, 2, 3, 8}
    lines = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + f"\n\n{report.sentence} {report.seconds:.0f} s."


def as_page(report: Report) -> str:
    """The page "How we know", in Markdown."""
    command = "allpay verify --full" if report.full else "allpay verify"
    parts = [
        "# How we know",
        f"Written by `{command} --markdown docs/how-we-know.md`; every number below is from that run. {report.sentence}",
        "A revenue that a simulation gives is worth something only if its parts are right and the bidders have arrived. "
        "So the same games, those whose equilibrium is known, go through every part of the program. In each cell "
        "stands how far the worst of the points was off, and how far it may be.",
    ]
    for layer, (title, text) in LAYERS.items():
        checks = [c for c in report.checks if c.layer == layer]
        parts += [f"## {title}", text, _table([c for c in checks if c.family != UNEQUAL])]
        unequal = [c for c in checks if c.family == UNEQUAL]
        if unequal:
            parts += [_table(unequal)]
    parts += [
        "## Contests as they are",
        "Closed forms for bidders who may be absent, face a reserve or a fee, differ, or need luck, against numbers that were "
        "computed once by other means.",
        _contest_table([c for c in report.checks if c.layer == CONTESTS]),
        "Some of each kind as games: what theory says of the game, what its bids leave to gain in the exact payoffs of a grid "
        "(at most what half a step costs), and what bidders who learn leave to gain and pay (within 1 % of theory), also in "
        "sampled auctions. Where values are known to all a solver plays, since fictitious play is slow there.",
        _contest_table([c for c in report.checks if c.layer == PLAYED]),
        "## Learners",
        "What a bidder could still gain when learning ends, as a part of the top prize, and revenue against theory on "
        "continuous bids, from which it may differ by a step of the bid grid for every bid that is paid. Those who play on a "
        "coarse grid of their own are held to that grid: there revenue is not that of theory. "
        "With a common value equilibria are mixtures, and some learners are known not to find them: "
        "fictitious play circles where the expected share is a concave function of the bidder's quantile (w < 2/3), greedy "
        "bidders do not mix at all. There the right answer is a verdict that says so, with more than the tolerance left to "
        "gain.",
    ]
    for name in dict.fromkeys(c.layer for c in report.checks if c.layer not in {*LAYERS, CONTESTS, PLAYED}):
        parts += [f"### {name}", _learner_table([c for c in report.checks if c.layer == name])]
    if report.failures:
        parts += ["## What failed", *(f"- {_sentence(check)}" for check in report.failures)]
    return "\n\n".join(parts) + "\n"


def _table(checks: list[Check]) -> str:
    """A row for each family: in each cell the largest error of a number, and what was allowed."""
    numbers = list(dict.fromkeys(check.what for check in checks))
    sourced = len({check.source for check in checks if check.what == numbers[0]}) > 1
    lines = [
        "| case | points | " + "source | " * sourced + " | ".join(numbers) + " | |",
        "|---|---|" + "---|" * sourced + "--:|" * len(numbers) + "---|",
    ]
    for family in dict.fromkeys(check.family for check in checks):
        group = [check for check in checks if check.family == family]
        cells = []
        for what in numbers:
            some = [check for check in group if check.what == what]
            cells.append(f"{_size(_worst(some))} of {_size(max(c.tolerance for c in some))}" if some else "–")
        source = f"{group[0].source} | " * sourced
        lines.append(f"| {family} | {_points(group)} | {source}{' | '.join(cells)} | {_passed(group)} |")
    return "\n".join(lines)


def _contest_table(checks: list[Check]) -> str:
    """A row for each contest: its numbers, by how much the worst is off, and how far that may be."""
    lines = ["| case | point | source | numbers | off | allowed | |", "|---|---|---|---|--:|--:|---|"]
    contests: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        contests.setdefault((check.family, check.point), []).append(check)
    for (family, point), group in contests.items():
        numbers = ", ".join(f"{check.what} {_number(check.value)}" for check in group)
        off, allowed = _size(_worst(group)), _size(max(check.tolerance for check in group))
        lines.append(f"| {family} | {point} | {group[0].source} | {numbers} | {off} | {allowed} | {_passed(group)} |")
    return "\n".join(lines)


def _learner_table(checks: list[Check]) -> str:
    lines = [
        "| case | | verdict | left to gain | revenue | theory | may differ by | |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    cases: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        cases.setdefault((check.family, check.point), []).append(check)
    for (family, point), group in cases.items():
        gain, revenue = group[0], group[1] if len(group) > 1 else None
        verdict = gain.what[gain.what.index("(") + 1 : -1]
        numbers = f"{revenue.value:.4f} | {revenue.expected:.4f} | {revenue.tolerance:.4f}" if revenue else "– | – | –"
        lines.append(f"| {family} | {point} | {verdict} | {_size(gain.value)} | {numbers} | {_passed(group)} |")
    return "\n".join(lines)


def _points(checks: list[Check]) -> str:
    """`w = 0.5, 0.6` for checks at these points."""
    points = [point.split(" = ") for point in dict.fromkeys(check.point for check in checks)]
    return f"{points[0][0]} = " + ("; " if points[0][0] == "v" else ", ").join(value for _, value in points)


def _sentence(check: Check) -> str:
    return (
        f"{check.family}, {check.point}, {check.layer}: {check.what} is {_number(check.value)}, "
        f"expected {'at least ' if check.at_least else ''}{_number(check.expected)} (tolerance {_size(check.tolerance)})"
    )


def _passed(checks: list[Check]) -> str:
    bad = sum(not check.passed for check in checks)
    return "pass" if bad == 0 else f"**{bad} failed**"


def _worst(checks: list[Check]) -> float:
    found = [check.error for check in checks]
    return math.nan if any(math.isnan(e) for e in found) else max(found)


def _number(x: float) -> str:
    return "–" if math.isnan(x) else f"{round(x, 6) + 0.0:.6f}"  # no −0


def _size(x: float) -> str:
    """An error or tolerance: two digits, below 1e-12 rounding and not worth one."""
    if math.isnan(x):
        return "–"
    return "< 1e-12" if x < 1e-12 else f"{x:.1e}"
