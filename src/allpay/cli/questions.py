"""The commands that answer a designer's questions: how good is this prize table?"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from allpay.cli.commands import app, command, contest_of, given_in
from allpay.cli.console import print_json, reporting
from allpay.cli.options import (
    LEARNING,
    SPACE,
    STUDY,
    AsJson,
    Attendance,
    Bidders,
    BidLevels,
    CostPower,
    DistributionText,
    Fee,
    GroupTexts,
    Iterations,
    LearnerName,
    Luck,
    MaxBid,
    Objective,
    Overbidding,
    Reserve,
    RiskAversion,
    Seed,
    Ties,
    Tolerance,
    ValueLevels,
    Values,
)
from allpay.errors import AllpayError, shortened

__all__ = ["app"]

OF_LEARNING = ("learner", "value_levels", "bid_levels", "iterations", "tolerance", "samples", "rounds", "seed")
"""The options of `judge` that have no effect where theory answers."""

THREADS = "OPENBLAS_NUM_THREADS"
"""Where NumPy's linear algebra takes the number of its threads from. Theory has small matrices, for which threads that wait for
each other on a busy machine take many times as long as one."""


def one_thread() -> None:
    """Let small matrices be multiplied by one thread, unless the user says otherwise or it is too late."""
    if "numpy" not in sys.modules:
        os.environ.setdefault(THREADS, "1")


@command
def judge(
    context: typer.Context,
    prizes: Annotated[
        list[str],
        typer.Argument(
            help="the prizes, the first rank first: 7500 5000 2500 1000x5, 50% 30% 20%, 3/5 2/5; or a file with the columns "
            "rank and prize",
            show_default=False,
        ),
    ],
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    max_bid: MaxBid = None,
    overbidding: Overbidding = None,
    cost_power: CostPower = 1.0,
    risk_aversion: RiskAversion = 0.0,
    group: GroupTexts = None,
    luck: Luck = "none",
    attendance: Attendance = 1.0,
    reserve: Reserve = 0.0,
    fee: Fee = 0.0,
    ties: Ties = "random",
    purse: Annotated[
        float | None,
        typer.Option(help="what prizes given as percent or fractions are parts of, in money", show_default="none"),
    ] = None,
    objective: Objective = "revenue",
    most_prizes: Annotated[
        int | None,
        typer.Option(
            "--prizes",
            help="how many ranks may win something in the best table",
            show_default="all but the last",
            rich_help_panel=SPACE,
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="auto: theory where it has a formula for the table, else learning; or one of these",
            rich_help_panel=STUDY,
        ),
    ] = "auto",
    learner: LearnerName = "fictitious-play",
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
    iterations: Iterations = None,
    tolerance: Tolerance = None,
    samples: Annotated[
        int, typer.Option(help="by learning: how many tables are tried to find the best", rich_help_panel=LEARNING)
    ] = 40,
    rounds: Annotated[
        int, typer.Option(help="by learning: how often each table is learned anew", rich_help_panel=LEARNING)
    ] = 5,
    plot: Annotated[
        Path | None, typer.Option(help="draw the tables and what they bring into this file (.png, .pdf, .svg)")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Is this prize table good? It beside the best table of the same purse, winner-take-all and equal prizes."""
    one_thread()
    asked = dict(locals())
    from allpay.judgement import judge as judge_table
    from allpay.learners import learner as named
    from allpay.report.judged import draw_judged, judged_in_words, judged_values
    from allpay.report.style import place

    if plot is not None:
        place(plot)
    written = given_in(context)
    bidding = named(learner, iterations=iterations, tolerance=tolerance)
    setting, n = contest_of(asked, written, bidding.setting)
    with reporting() as reporter:
        found = judge_table(
            Path(prizes[0]) if _is_file(prizes) else prizes,
            n,
            setting,
            objective=objective,
            purse=purse,
            most_prizes=most_prizes,
            method=method,
            learner=bidding,
            samples=samples,
            rounds=rounds,
            seed=seed,
            reporter=reporter,
        )
    if found.method == "theory":
        for name in OF_LEARNING:
            if name in written:
                raise AllpayError(
                    f"{written[name]} has no effect where theory has a formula: leave it out, or give --method learning"
                )
    if as_json:
        print_json(judged_values(found))
    else:
        typer.echo(judged_in_words(found))
    if plot is not None:
        typer.echo(f"allpay: wrote {draw_judged(found, plot)}", err=True)


def _is_file(prizes: list[str]) -> bool:
    """Whether the only word names a file.

    Raises:
        AllpayError: if it is written like one and there is none.
    """
    if len(prizes) > 1:
        return False
    path = Path(prizes[0])
    if path.suffix.lower() in (".csv", ".tsv", ".txt") and not path.exists():
        raise AllpayError(f"there is no file {shortened(prizes[0], 80)}: give a table with the columns rank and prize")
    return path.suffix != "" and path.exists()
