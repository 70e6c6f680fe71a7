"""Tables of studies side by side: what each learner's bidders bring under each design, beside the equilibrium."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from allpay.outcome import Verdict
from allpay.report.summary import equilibrium_curves, wrapped
from allpay.report.words import keep_table, with_error

if TYPE_CHECKING:
    from allpay.pipeline import Result

SHOWN = 11
"""How many designs the printed table has, spread evenly over the weight of the highest rank."""

UNSETTLED = "*"
"""Stands beside a mean of which half of the rounds or more did not converge."""


def by_design(results: "Sequence[Result]") -> pl.DataFrame:
    """A row per rule and design, in the order of the weights.

    Columns: `rule`, `w1`…`wm` of the ranks that may carry weight, `equilibrium` (of the game without limits on bids; null
    where there is no closed form), and for each learner its mean, `… stderr` (over rounds; null for one round) and
    `… converged` (share of rounds), all of the studies' objective. Learners that played other designs have null there.
    """
    parts: dict[str, pl.DataFrame] = {}
    ranks = max(result.sweep.study.space.dimension for result in results)
    for result in results:
        study, values, weights = result.sweep.study, result.sweep.values(), result.sweep.weights
        name, rounds = study.learner.name, values.shape[1]
        carried = weights.T[: min(ranks, study.bidders)]
        beside = dict(zip(study.names[study.bidders :], weights.T[study.bidders :], strict=True))
        keys = {
            "rule": [study.space.rule] * len(weights),
            **{f"w{k + 1}": w for k, w in enumerate(carried)},
            **beside,
        }
        settled = result.sweep.values("verdict") == Verdict.CONVERGED.value
        columns = {
            name: values.mean(axis=1),
            f"{name} stderr": values.std(axis=1, ddof=1) / np.sqrt(rounds)
            if rounds > 1
            else np.full(len(values), np.nan),
            f"{name} converged": settled.mean(axis=1),
        }
        free = equilibrium_curves(result, weights).free
        table = pl.DataFrame({**keys, "equilibrium": free, **columns})
        rule = study.space.rule
        shared = [*keys, "equilibrium"]
        parts[rule] = (
            parts[rule].join(table, on=shared, how="full", coalesce=True, nulls_equal=True) if rule in parts else table
        )
    whole = pl.concat(parts.values(), how="diagonal").fill_nan(None)
    by_weight = [column for column in whole.columns if column[0] == "w" and column[1:].isdigit()]
    order = list(parts)
    return whole.sort(pl.col("rule").replace_strict(order, list(range(len(order)))), *by_weight)


def as_text(results: "Sequence[Result]") -> str:
    """The table of `by_design` for people: for each rule some designs, a column per learner, means ± standard errors."""
    table = by_design(results)
    learners = list(dict.fromkeys(r.sweep.study.learner.name for r in results))
    objective = results[0].sweep.study.goal.words
    lines = [wrapped(_caption(objective))]
    for (rule,), rows in table.group_by("rule", maintain_order=True):
        first = rows["w1"].to_numpy()
        nearest = {int(np.abs(first - w).argmin()) for w in np.linspace(first[0], first[-1], SHOWN)}
        chosen = rows[sorted(nearest)]
        grid = [[str(rule), "equilibrium", *learners]]
        for row in chosen.iter_rows(named=True):
            cells = [_cell(row[name], row[f"{name} stderr"], row[f"{name} converged"]) for name in learners]
            exact = "–" if row["equilibrium"] is None else with_error(row["equilibrium"], None)
            grid.append([f"w = {row['w1']:.3f}", exact, *cells])
        keep_table(
            [
                ["weight of the first rank", *grid[0][1:]],
                *([row[0].removeprefix("w = "), *row[1:]] for row in grid[1:]),
            ],
            f"{_caption(objective)} Rule: {rule}.",
        )
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines.append(
            "\n".join(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in grid
            )
        )
    return "\n\n".join(lines)


def _caption(objective: str) -> str:
    return (
        f"Mean {objective} ± standard error over rounds, by the weight of the highest rank; {UNSETTLED} where half of "
        "the rounds or more did not converge. The equilibrium is that on continuous bids without limits."
    )


def _cell(mean: float | None, stderr: float | None, settled: float | None) -> str:
    if mean is None or settled is None:
        return "–"
    return f"{with_error(mean, stderr)}{'' if settled > 0.5 else f' {UNSETTLED}'}"
