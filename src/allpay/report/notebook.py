"""What notebooks show of an object, and its numbers as a table of Polars."""

import dataclasses
from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import polars as pl

from allpay.errors import AllpayError, short
from allpay.estimate.values import EstimatedValues
from allpay.exact import Exact
from allpay.frozen import brief
from allpay.judgement import Judgement
from allpay.optimum import Optimum
from allpay.outcome import Outcome
from allpay.pipeline import Result
from allpay.scenarios import Comparison
from allpay.statics import Statics
from allpay.study.sweep import Sweep
from allpay.theory import Equilibrium

MOST_ROWS = 10
"""Rows of a table that a notebook shows."""


@singledispatch
def frame(made: Any) -> pl.DataFrame:
    """The numbers of an object as a table.

    Raises:
        AllpayError: if it has none.
    """
    raise AllpayError(f"{type(made).__name__} has no table of numbers: got {short(made)}")


@frame.register
def _of_outcome(made: Outcome) -> pl.DataFrame:
    """A row for each design and round."""
    designs, rounds = made.revenue.shape
    names = (
        "revenue",
        "highest_bid",
        "realised_revenue",
        "realised_highest_bid",
        "payoff",
        "exploitability",
        "distance",
    )
    return pl.DataFrame(
        {
            "design": np.repeat(np.arange(designs), rounds),
            "round": np.tile(np.arange(rounds), designs),
            **{name: getattr(made, name).ravel() for name in names},
            "verdict": made.verdicts.ravel().tolist(),
            "iterations": made.iterations.ravel(),
        }
    )


@frame.register
def _of_sweep(made: Sweep) -> pl.DataFrame:
    """A row for each design and round, see `Sweep.table`."""
    return made.table


@frame.register
def _of_result(made: Result) -> pl.DataFrame:
    """The rounds of the study."""
    return made.sweep.table


@frame.register
def _of_equilibrium(made: Equilibrium) -> pl.DataFrame:
    """The bid at each quantile, of each group."""
    return pl.concat(
        pl.DataFrame(
            {"group": [k + 1] * len(made.quantile), "quantile": made.quantile, "bid": play.bid_at(made.quantile)}
        )
        for k, play in enumerate(made.groups)
    )


@frame.register
def _of_optimum(made: Optimum) -> pl.DataFrame:
    """The best weight of each rank, and from where to where it goes in designs that cannot be told from the best."""
    low, high = zip(*made.interval, strict=True)
    ranks = list(range(1, len(made.weights) + 1))
    return pl.DataFrame({"rank": ranks, "weight": made.weights, "low": list(low), "high": list(high)})


@frame.register
def _of_judgement(made: Judgement) -> pl.DataFrame:
    """What each table brings: a row for each of them and each thing that it brings."""
    return pl.DataFrame(
        [
            {"table": split.name, "what": text, "mean": quantity.mean, "half_width": quantity.half_width}
            for split in made.splits
            for text, quantity in split.quantities
        ]
    )


@frame.register
def _of_comparison(made: Comparison) -> pl.DataFrame:
    return made.table


@frame.register
def _of_statics(made: Statics) -> pl.DataFrame:
    return made.table


@frame.register
def _of_exact(made: Exact) -> pl.DataFrame:
    """The best weight of each rank by theory."""
    return pl.DataFrame({"rank": list(range(1, len(made.weights) + 1)), "weight": list(made.weights)})


@frame.register
def _of_estimate(made: EstimatedValues) -> pl.DataFrame:
    """The value at each quantile, and its band."""
    return pl.DataFrame({"quantile": made.levels, "value": made.values, "low": made.low, "high": made.high})


def html(made: Any) -> str:
    """An object as a notebook shows it: a sentence if it has one, and the first rows of its table; else its fields."""
    sentence = getattr(made, "sentence", "") or getattr(getattr(made, "optimum", None), "sentence", "")
    head = f"<p><b>{escape(type(made).__name__)}</b> {escape(sentence if isinstance(sentence, str) else '')}</p>"
    if frame.dispatch(type(made)) is frame.dispatch(object):
        rows = [[f.name, _cell(getattr(made, f.name, None))] for f in dataclasses.fields(made) if f.repr]
        return head + _table(["", ""], rows)
    table = frame(made)
    rows = [[_cell(value) for value in row] for row in table.head(MOST_ROWS).iter_rows()]
    more = f"<p>… {table.height:,} rows in all</p>" if table.height > MOST_ROWS else ""
    return head + _table(table.columns, rows) + more


def _table(head: list[str], rows: list[list[str]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in head) if any(head) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{names}</tr>' if names else ''}{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return brief(value)
    return short(value, 120) if not isinstance(value, str) else value[:200]
