"""Past contests made up, into a file or on stdout."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from allpay.cli.console import print_json, reporting
from allpay.errors import AllpayError
from allpay.files import write

if TYPE_CHECKING:
    import polars as pl

    from allpay.contest.amounts import Amounts
    from allpay.study import Study

SEPARATORS = {".tsv": "\t", ".tab": "\t"}
"""Between cells, by how the name of the file ends; commas otherwise."""


def make_contests(
    studies: "Sequence[Study]",
    contests: int,
    told: "Amounts | None",
    learned: bool,
    grid: Sequence[str],
    values: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Draw contests from the equilibrium of each study's only design, or from what its bidders learn, and write them.

    Args:
        studies: whose contests come in turn.
        contests: how many.
        told: what the weights were given as; prizes are told so if that was money.
        learned: whether bids are those that are learned, also where there is a formula.
        grid: options of the grid that were given, which play no part in theory.
        values: whether the table tells them.
        out: the file; stdout if there is none.
        as_json: whether to say in JSON what was written.
    """
    from allpay.estimate.generate import as_table, past_contests
    from allpay.study.sweep import learn_one
    from allpay.theory import equilibrium_or_reason

    if out is None and as_json:
        raise AllpayError("--json says what was written, and contests go to stdout without --out: name a file")
    if out is not None and out.is_dir():
        raise AllpayError(f"{out} is a folder: name a file for the contests, as {out / 'past.csv'}")
    if out is not None and not out.parent.is_dir():  # before anybody learns
        raise AllpayError(f"cannot write {out}: there is no folder {out.parent}; make it first")
    games = [study.game(study.designs[0]) for study in studies]
    found = [equilibrium_or_reason(game) for game in games]
    reasons = [reason if isinstance(reason, str) else "" for reason in found]
    if grid and not learned and not any(reasons):
        raise AllpayError(f"{grid[0]} has no effect on bids that theory gives: name a --learner, or leave it out")
    strategies: list[Any] = []
    for study, reason in zip(studies, reasons, strict=True):
        if not learned and not reason:
            strategies.append(None)
            continue
        with reporting("rounds") as bars, bars.stage(f"{study.learner.name}: bidders learn"):
            strategies.append(learn_one(study).strategy[0, 0])
    prizes = told.numbers if told is not None and told.unit == "money" else None
    made = past_contests(games, contests, studies[0].seed, strategy=strategies, prizes=prizes)
    content = _content(as_table(made, values), "" if out is None else out.suffix.lower())
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        write(out, lambda file: file.write(content))
    by_theory = sum(strategy is None for strategy in strategies)
    how = "the equilibrium, on continuous bids" if by_theory else ""
    if by_theory < len(games):
        first = next(k for k, strategy in enumerate(strategies) if strategy is not None)
        why = f" (no closed form: {reasons[first]})" if reasons[first] and not learned else ""
        how += f"{' and, where there is none, ' if how else ''}what {studies[first].learner.name} learned, on its grid{why}"
    rows, file = len(made.bid), "stdout" if out is None else str(out)
    typer.echo(f"allpay: wrote {contests:,} contests, {rows:,} rows, to {file}; bids are drawn from {how}", err=True)
    if as_json:
        print_json({"contests": contests, "rows": rows, "file": file, "bids": how, "seed": studies[0].seed})


def _content(table: "pl.DataFrame", suffix: str) -> bytes:
    """The bytes of a table: Parquet if the file's name ends so, else text."""
    content = io.BytesIO()
    if suffix in (".parquet", ".pq"):
        table.write_parquet(content)
    else:
        table.write_csv(content, separator=SEPARATORS.get(suffix, ","))
    return content.getvalue()
