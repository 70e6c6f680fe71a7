"""The commands that answer a designer's questions: how good is this prize table, and how does the best design change?"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from allpay.cli.again import check_free, write_command
from allpay.cli.commands import OF_LEARNERS, app, command, contest_of, given_in, known_from
from allpay.cli.console import print_json, reporting
from allpay.cli.drawing import drawn, in_tables
from allpay.cli.options import (
    LEARNING,
    SPACE,
    STUDY,
    AsJson,
    AtLeast,
    Attendance,
    Bidders,
    BidLevels,
    Bids,
    CostPower,
    DistributionText,
    Exploration,
    Fee,
    FirstAtLeast,
    FirstAtMost,
    GroupTexts,
    Iterations,
    LastAtLeast,
    LearnerName,
    Level,
    Luck,
    MaxBid,
    NoiseOfBids,
    Objective,
    Overbidding,
    Prizes,
    Reserve,
    RiskAversion,
    Rounds,
    Rule,
    Same,
    Samples,
    Sampling,
    Scheduler,
    Seed,
    Ties,
    Tolerance,
    ValueLevels,
    Values,
    ValuesFrom,
    Workers,
)
from allpay.cli.several import (
    Attendances,
    CostPowers,
    Fees,
    MaxBids,
    Reserves,
    RiskAversions,
    SeveralBidders,
    SeveralPrizes,
    numbers_in,
    space_of,
    varied,
)
from allpay.cli.tables import FILES, JUDGED, SWEPT, TABLES, check_table, write_answer
from allpay.cores import one_thread
from allpay.errors import AllpayError, one_of, shortened

__all__ = ["TABLES", "app", "numbers_in"]

OF_LEARNING = (
    *("learner", "value_levels", "bid_levels", "iterations", "noise", "level", "tolerance"),
    *("samples", "rounds", "seed"),
)
"""The options of `judge` that have no effect where theory answers."""

OF_SCENARIOS_LEARNED = (
    *("learner", "value_levels", "bid_levels", "sampling", "samples", "rounds", "iterations", "exploration", "bids"),
    *("noise", "level", "tolerance", "seed", "workers", "scheduler"),
)
"""The options of `compare` that say something of learning."""


@command
@drawn
@in_tables
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
    values_from: ValuesFrom = None,
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
    noise: NoiseOfBids = None,
    level: Level = None,
    tolerance: Tolerance = None,
    samples: Annotated[
        int, typer.Option(help="by learning: how many tables are tried to find the best", rich_help_panel=LEARNING)
    ] = 40,
    rounds: Annotated[
        int, typer.Option(help="by learning: how often each table is learned anew", rich_help_panel=LEARNING)
    ] = 5,
    out: Annotated[
        Path | None, typer.Option(help="a folder for all of it, which allpay report shows", show_default="none")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw the tables and what they bring into this file (.png, .pdf, .svg)")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Is this prize table good? It beside the best table of the same purse, winner-take-all and equal prizes."""
    one_thread()
    asked = dict(locals())
    from allpay.estimate.over import parts_of
    from allpay.judgement import judge as judge_table
    from allpay.learners import learner as named
    from allpay.report.judged import draw_judged, judged_in_words, judged_values
    from allpay.report.look import place

    if plot is not None:
        place(plot)
    check_free(out, {*FILES, JUDGED})
    written = given_in(context)
    bidding = named(learner, **{name: asked[name] for name in ("iterations", "noise", "level", "tolerance")})
    estimated = known_from(values_from, asked, written)
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
    if estimated is not None:
        found = replace(found, past_purse=parts_of(estimated)[0].purse)
    if found.method == "theory":
        for name in OF_LEARNING:
            if name in written:
                raise AllpayError(
                    f"{written[name]} has no effect where theory has a formula: leave it out, or give --method learning"
                )
    if out is not None:
        write_answer(out, JUDGED, judged_values(found), judged_in_words(found), lambda path: draw_judged(found, path))
        write_command(context, out)
        typer.echo(f"allpay: wrote {out}", err=True)
    if as_json:
        print_json(judged_values(found))
    else:
        typer.echo(judged_in_words(found))
    if plot is not None:
        typer.echo(f"allpay: wrote {draw_judged(found, plot)}", err=True)


@command
@drawn
@in_tables
def sweep(
    context: typer.Context,
    bidders: SeveralBidders = None,
    cost_power: CostPowers = "1",
    risk_aversion: RiskAversions = "0",
    attendance: Attendances = "1",
    reserve: Reserves = "0",
    fee: Fees = "0",
    max_bid: MaxBids = None,
    values: Values = "private",
    distribution: DistributionText = None,
    values_from: ValuesFrom = None,
    rule: Rule = "prizes",
    prizes: SeveralPrizes = None,
    first_at_most: FirstAtMost = None,
    first_at_least: FirstAtLeast = None,
    last_at_least: LastAtLeast = None,
    at_least: AtLeast = None,
    same: Same = None,
    objective: Objective = "revenue",
    method: Annotated[
        str, typer.Option(help="theory: the best design by the closed form", rich_help_panel=STUDY)
    ] = "theory",
    out: Annotated[
        Path | None,
        typer.Option(
            help="write the table into this file: .csv, .parquet, .tex or .json; or a folder for all of it, which allpay "
            "report shows",
            show_default="none",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw the best design and what it brings into this file (.png, .pdf, .svg)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The best design along one or two parameters: --bidders 3:20, --cost-power 1:3:0.25; how many prizes? --prizes 1:8."""
    one_thread()
    asked = dict(locals())
    from allpay.contest.game import Setting
    from allpay.report.look import place
    from allpay.report.statics import draw_statics, statics_in_words, statics_values
    from allpay.statics import comparative_statics

    if method != "theory":
        raise AllpayError(
            f"a sweep is by theory: got --method {shortened(method, 40)}; simulate one contest with allpay design"
        )
    if plot is not None:
        place(plot)
    table, folder = (None, None) if out is None else (out, None) if out.suffix or out.is_file() else (None, out)
    check_table(table, TABLES)
    check_free(folder, {*FILES, SWEPT})
    known_from(values_from, asked, given_in(context))
    over, single = varied(asked)
    setting, n = contest_of(single, given_in(context), Setting())
    space = space_of(single, 3 if n is None else n)
    most, n = max(over.get("most_prizes", [0])), int(max(over.get("bidders", [space.bidders])))
    if most > n:
        raise AllpayError(f"--prizes {most:g} needs --bidders {most:g} or more: got {n}")
    with reporting() as reporter, reporter.stage("looking for the best designs by theory"):
        swept = comparative_statics(over, setting, space, objective, reporter.advance)
    if table is not None:
        TABLES[table.suffix](swept, table)
        typer.echo(f"allpay: wrote {table}", err=True)
    if folder is not None:
        write_answer(
            folder, SWEPT, statics_values(swept), statics_in_words(swept), lambda path: draw_statics(swept, path)
        )
        TABLES[".csv"](swept, folder / "table.csv")
        write_command(context, folder)
        typer.echo(f"allpay: wrote {folder}", err=True)
    if as_json:
        print_json(swept.to_json())
    else:
        typer.echo(statics_in_words(swept))
    if plot is not None:
        typer.echo(f"allpay: wrote {draw_statics(swept, plot)}", err=True)


@command
@drawn
@in_tables
def compare(
    context: typer.Context,
    designs: Annotated[
        list[str] | None,
        typer.Argument(
            help="the designs, each one word: 0.6,0.3,0.1, 50%,30%,20%, 7500,5000,2500", show_default="none"
        ),
    ] = None,
    bidders: SeveralBidders = None,
    cost_power: CostPowers = "1",
    risk_aversion: RiskAversions = "0",
    attendance: Attendances = "1",
    reserve: Reserves = "0",
    fee: Fees = "0",
    max_bid: MaxBids = None,
    values: Values = "private",
    distribution: DistributionText = None,
    values_from: ValuesFrom = None,
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
    overbidding: Overbidding = None,
    group: GroupTexts = None,
    luck: Luck = "none",
    ties: Ties = "random",
    rule: Rule = "prizes",
    prizes: Prizes = None,
    first_at_most: FirstAtMost = None,
    first_at_least: FirstAtLeast = None,
    last_at_least: LastAtLeast = None,
    at_least: AtLeast = None,
    same: Same = None,
    objective: Objective = "revenue",
    method: Annotated[
        str | None,
        typer.Option(
            help="theory: the exact objective of the equilibrium is ascended; surrogate: bidders learn in every scenario, "
            "networks are fitted and ascended, fresh rounds check",
            show_default="theory, or surrogate if something is said of learning",
            rich_help_panel=STUDY,
        ),
    ] = None,
    learner: LearnerName = "fictitious-play",
    sampling: Sampling = None,
    samples: Samples = 50,
    rounds: Rounds = 10,
    iterations: Iterations = None,
    exploration: Exploration = None,
    bids: Bids = None,
    noise: NoiseOfBids = None,
    level: Level = None,
    tolerance: Tolerance = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="write the table into this file: .csv, .parquet or .json; or a folder for all, where what is learned is kept"
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw what each design loses where into this file (.png, .pdf, .svg)")
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Which design is safe if one does not know the world: designs beside the best of each scenario."""
    one_thread()
    asked = dict(locals())
    from allpay.cli.scenarios import in_scenarios
    from allpay.contest.game import Setting
    from allpay.learners import learner as named
    from allpay.study import Study

    written = given_in(context)
    learning = [written[name] for name in OF_SCENARIOS_LEARNED if name in written]
    by = (
        ("surrogate" if learning else "theory") if method is None else one_of("method", method, ("theory", "surrogate"))
    )
    if by == "theory" and learning:
        raise AllpayError(f"{learning[0]} has no effect with --method theory, which simulates nothing: leave it out")
    if group and "bidders" in written:
        raise AllpayError("--bidders has no effect beside --group, which says how many there are: leave it out")
    bidding = named(learner, **{name: asked[name] for name in OF_LEARNERS})
    known_from(values_from, asked, written)
    over, single = varied(asked)
    setting, n = contest_of(single, written, bidding.setting if by == "surrogate" else Setting())
    space = space_of(single, 3 if n is None else n)
    study = Study(space, bidding, setting, samples, rounds, objective, seed, sampling)
    in_scenarios(study, over, designs or (), by, out, plot, workers, scheduler, as_json)
    if out is not None:
        write_command(context, out)


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
