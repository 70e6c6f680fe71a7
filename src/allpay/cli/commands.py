"""The commands."""

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from allpay.cli.again import write_command
from allpay.cli.console import WARNINGS, in_one_line, plain, print_json, reporting
from allpay.cli.drawing import OPTIONS, drawn, in_tables
from allpay.cli.examples import epilog_of
from allpay.cli.options import (
    GAME,
    LEARNING,
    STUDY,
    AsJson,
    AtLeast,
    Attendance,
    Bidders,
    BidLevels,
    Bids,
    Box,
    Choose,
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
    MadeUp,
    MaxBid,
    Method,
    Money,
    NoiseOfBids,
    Objectives,
    Out,
    Overbidding,
    Precision,
    Prizes,
    Reserve,
    RiskAversion,
    Rounds,
    RoundTo,
    Rule,
    Same,
    Samples,
    Sampling,
    Scheduler,
    Seed,
    Strategy,
    Ties,
    Tolerance,
    Trust,
    ValueLevels,
    Values,
    ValuesFrom,
    Weights,
    Within,
    WithValues,
    Workers,
)
from allpay.cli.results import for_paper, labelled, without_empty
from allpay.cli.running import design_again, design_by_theory, front_by_theory, run_studies, simulate_study
from allpay.cli.several import (
    Attendances,
    CostPowers,
    Fees,
    FieldOrSeveral,
    MaxBids,
    Reserves,
    RiskAversions,
    check_splits,
    space_of,
    varied,
)
from allpay.cores import one_thread
from allpay.errors import AllpayError, one_of, short, shortened
from allpay.files import in_shell

if TYPE_CHECKING:
    from allpay.contest.amounts import Amounts
    from allpay.contest.game import Game, Setting
    from allpay.contest.mechanism import Mechanism
    from allpay.estimate.values import EstimatedGroups, EstimatedValues
    from allpay.study import Study
    from allpay.theory import Equilibrium

app = typer.Typer(
    name="allpay",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="Design all-pay auctions and contests by simulation: bidders learn under many designs, a network learns what the "
    "designs bring, mirror ascent finds the best one, and fresh simulation and theory check it.",
)

OF_THEORY = {
    *(
        "rule",
        "bidders",
        "values",
        "distribution",
        "values_from",
        "max_bid",
        "overbidding",
        "cost_power",
        "risk_aversion",
    ),
    *("group", "luck", "attendance", "reserve", "fee", "ties"),
    *(
        "prizes",
        "box",
        "first_at_most",
        "first_at_least",
        "last_at_least",
        *("at_least", "same", "choose", "money", "round_to"),
        "objective",
        "method",
        "as_json",
        "within",
        "out",
        "plot",
    ),
    *OPTIONS,
}
"""The options of `design` that the exact optimum depends on, and what prints it."""

OF_LEARNERS = ("iterations", "exploration", "bids", "noise", "level", "tolerance")
"""The options that are those of a learner."""

OF_FOLDER = {"folder", "objective", "workers", "scheduler", "trust", "as_json", *OPTIONS}
"""The options of `design` that say something about a study that is in a folder already."""

Command = TypeVar("Command", bound=Callable[..., None])


def command(function: Command) -> Command:
    """Register a command."""
    app.command(epilog=epilog_of(function.__name__))(in_one_line(function))
    return function


@app.callback()
@in_one_line
def program(
    version: Annotated[bool, typer.Option("--version", help="say which version this is")] = False,
) -> None:
    if version:
        from allpay.versions import VERSION

        typer.echo(f"allpay {VERSION}")
        raise typer.Exit


@command
@drawn
@in_tables
def simulate(
    context: typer.Context,
    weights: Weights,
    rule: Rule = "prizes",
    learner: LearnerName = "fictitious-play",
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    values_from: ValuesFrom = None,
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
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
    rounds: Rounds = 10,
    iterations: Iterations = None,
    exploration: Exploration = None,
    bids: Bids = None,
    noise: NoiseOfBids = None,
    level: Level = None,
    tolerance: Tolerance = None,
    out: Out = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw what was bid, beside theory, into this file (.png, .pdf, .svg)")
    ] = None,
    contests: MadeUp = None,
    with_values: WithValues = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Let bidders learn under one design, and say what it brings; or make up past contests under it."""
    asked, written = dict(locals()), given_in(context)
    known_from(values_from, asked, written)
    from allpay.learners import learner as named
    from allpay.study import DesignSpace, Study

    bidding = named(learner, **{name: asked[name] for name in OF_LEARNERS})
    if contests is None and with_values:
        raise AllpayError("--with-values has no effect without --contests: leave it out")
    studies = []
    for number in numbers_in(bidders) if contests is not None else (bidders,):
        setting, n = contest_of({**asked, "bidders": number}, written, bidding.setting)
        rules, amounts = mechanism_of(rule, weights, n)
        setting.game(rules)  # what the options get wrong is said before anything is computed or written
        space = DesignSpace(rule, rules.bidders)
        played = rounds if contests is None else 1
        studies.append(Study(space, bidding, setting, rounds=played, seed=seed, given=(weights,)))
    if contests is None:
        simulate_study(studies[0], out, as_json, plot)
        return
    from allpay.cli.made import make_contests

    learned = any(name in written for name in ("learner", *OF_LEARNERS))
    for name in ("rounds", "plot", "form"):
        if name in written:
            raise AllpayError(f"{written[name]} has no effect on contests that are made up: leave it out")
    grid = [written[name] for name in ("bid_levels", "value_levels") if name in written]
    make_contests(studies, contests, amounts, learned, grid, with_values, out, as_json)


@command
@drawn
@in_tables
def design(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="a study's folder, to ask what else its designs are good for", show_default=False
        ),
    ] = None,
    rule: Rule = "prizes",
    learner: LearnerName = "fictitious-play",
    bidders: FieldOrSeveral = None,
    values: Values = "private",
    distribution: DistributionText = None,
    values_from: ValuesFrom = None,
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
    max_bid: MaxBids = None,
    overbidding: Overbidding = None,
    cost_power: CostPowers = "1",
    risk_aversion: RiskAversions = "0",
    group: GroupTexts = None,
    luck: Luck = "none",
    attendance: Attendances = "1",
    reserve: Reserves = "0",
    fee: Fees = "0",
    ties: Ties = "random",
    prizes: Prizes = None,
    box: Box = False,
    first_at_most: FirstAtMost = None,
    first_at_least: FirstAtLeast = None,
    last_at_least: LastAtLeast = None,
    at_least: AtLeast = None,
    same: Same = None,
    choose: Choose = None,
    money: Money = None,
    round_to: RoundTo = None,
    sampling: Sampling = None,
    samples: Samples = 50,
    strategy: Strategy = "sample",
    precision: Precision = None,
    rounds: Rounds = 10,
    objective: Objectives = None,
    method: Method = "surrogate",
    within: Within = None,
    iterations: Iterations = None,
    exploration: Exploration = None,
    bids: Bids = None,
    noise: NoiseOfBids = None,
    level: Level = None,
    tolerance: Tolerance = None,
    out: Out = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="of several scenarios: draw what each design loses where into this file (.png, .pdf, .svg)",
            rich_help_panel=STUDY,
        ),
    ] = None,
    trust: Trust = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find the best design: sample designs, let bidders learn, fit a network, ascend it, check the answer. Of a study that is
    in a folder, find the best by another objective, from the rounds that are there."""
    asked = dict(locals())
    if method == "theory":
        one_thread()
    from allpay.contest.amounts import part_in
    from allpay.learners import learner as named
    from allpay.objectives import objectives
    from allpay.study import Study

    goals = objectives(objective or ["revenue"])
    if folder is not None:
        for name, option in given_in(context).items():
            if name not in OF_FOLDER:
                raise AllpayError(f"{option} has no effect on the study that {folder} holds already: leave it out")
        from allpay.cli.scenarios import compare_again

        if not compare_again(folder, goals if objective else (), workers, scheduler, trust, as_json):
            design_again(folder, goals if objective else (), workers, scheduler, trust, as_json)
        return
    if trust:
        raise AllpayError("--trust has no effect without a study's folder: what you name yourself is run")
    bidding = named(learner, **{name: asked[name] for name in OF_LEARNERS})
    estimated = known_from(values_from, asked, given_in(context))
    if estimated is not None and bidders is None and "group" not in given_in(context):
        asked["bidders"] = bidders_of_most(estimated)
    over, single = varied(asked, may_be_field=True)
    setting, given = contest_of(single, given_in(context), bidding.setting)
    study = Study(
        space_of(single, 3 if given is None else given),
        bidding,
        setting,
        samples=samples,
        rounds=rounds,
        objective=goals[0].text,
        seed=seed,
        sampling=sampling,
        strategy=strategy,
        precision=None if precision is None else part_in(precision, "--precision"),
        money=money,
        round_to=None if round_to is None else step_in(round_to, money),
    )
    for option, given_as in (("--money", money), ("--round-to", round_to)):
        if given_as is not None and len(goals) > 1:
            raise AllpayError(f"{option} has no effect on a front of several objectives: leave it out")
    known = None if len(goals) > 1 else estimated
    if known is not None and (otherwise := bidding_otherwise(study)):
        known = None
        told = (
            f"the values are those of risk-neutral bidders in equilibrium, and here {otherwise}: bidders of this kind would "
            "have shown other values, so how sure the data make it is not told"
        )
        warn_of(f"--values-from {shortened(str(values_from), 80)}", [*WARNINGS.get(), told], said=len(WARNINGS.get()))
    if one_of("method", method, ("surrogate", "theory")) == "theory":
        for name, option in given_in(context).items():
            if name not in OF_THEORY:
                raise AllpayError(f"{option} has no effect with --method theory, which simulates nothing: leave it out")
    elif within is not None:
        raise AllpayError("--within says how much theory may lose: give --method theory, or leave it out")
    if over:
        if len(goals) > 1:
            raise AllpayError(
                "several scenarios are compared by one objective, and a front has several: give one of them"
            )
        if within is not None:
            raise AllpayError("--within has no effect on several scenarios, whose losses are all told: leave it out")
        from allpay.cli.scenarios import in_scenarios

        if known is not None:
            typer.echo("allpay: how sure the data make it is told of one scenario alone, not of several", err=True)
        in_scenarios(study, over, (), method, out, plot, workers, scheduler, as_json)
        if out is not None:
            write_command(context, out)
        return
    if plot is not None:
        raise AllpayError(
            "--plot draws several scenarios, as --bidders 40,80,120: for the figure of one, give a folder by --out"
        )
    if method == "theory":
        if len(goals) > 1:
            if within is not None:
                raise AllpayError("--within has no effect on a front of several objectives: leave it out")
            front_by_theory(study, goals, out, as_json)
        else:
            design_by_theory(study, as_json, part_of(within or "0.5%"), out, known)
        if out is not None:
            write_command(context, out)
        return
    study.game(study.designs[0])  # what the options get wrong is said before anything is computed or written
    run_studies({"": study}, out, workers, scheduler, as_json, goals[1:], known)


@command
def init(
    file: Annotated[Path, typer.Argument(help="the file to write")] = Path("study.toml"),
) -> None:
    """Write a commented study file to begin with."""
    from allpay.study.file import TEMPLATE

    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(TEMPLATE)
    except FileExistsError:
        raise AllpayError(f"{file} exists: choose another name, or remove it") from None
    except OSError as error:
        raise AllpayError(f"cannot write {file}: {error.strerror}; choose another place") from None
    typer.echo(f"Wrote {file}. Change it, then: allpay run {in_shell(file)}")


@command
@drawn
def run(
    file: Annotated[
        Path,
        typer.Argument(help="a study file, see `allpay init`; or an archive of `allpay bundle`", show_default=False),
    ],
    designs: Annotated[
        list[str] | None,
        typer.Argument(
            help="of a file with scenarios: designs to stand beside the best, each one word, as 0.6,0.4 or 7500,5000",
            show_default="none",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="the study's folder",
            show_default="the file's name without .toml or .zip",
        ),
    ] = None,
    method: Method = "surrogate",
    workers: Workers = None,
    scheduler: Scheduler = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Run a study file: sweep, fit, ascend, check; all of it kept in a folder. With scenarios: each, and the best for all. With
    experiments: their bids over those of the equilibrium. An archive is repeated in a new folder, and held against it."""
    if method == "theory":
        one_thread()
    from allpay.cli.experiments import run_experiments
    from allpay.cli.scenarios import run_scenarios, scenarios_by_theory
    from allpay.study.bundle import is_archive
    from allpay.study.experiment import ExperimentStudy
    from allpay.study.file import read_file
    from allpay.study.scenario import ScenarioStudy, with_designs

    if is_archive(file):
        if designs or method != "surrogate":
            raise AllpayError(f"{file} is an archive, which is repeated as it is: leave designs and --method out")
        repeat(file, out, workers, scheduler, trust, as_json)
        return
    study = read_file(file, trust, lambda warnings: warn_of(shortened(str(file), 80), warnings))
    if isinstance(study, ScenarioStudy):
        check_splits(designs or ())
        study = with_designs(study, designs or ())
    elif designs:
        raise AllpayError(
            f"{file} has no scenarios in which designs are compared: write them as designs = […] in [study]"
        )
    if isinstance(study, ExperimentStudy):
        if method != "surrogate":
            raise AllpayError("experiments are learned, and theory stands beside them: leave --method out")
        run_experiments(study, folder_of(file) if out is None else out, workers, scheduler, as_json)
        return
    if one_of("method", method, ("surrogate", "theory")) == "theory":
        for option, given in (("--workers", workers), ("--scheduler", scheduler)):
            if given is not None:
                raise AllpayError(
                    f"{option} {given} has no effect with --method theory, which simulates nothing: leave it out"
                )
        if isinstance(study, ScenarioStudy):
            scenarios_by_theory(study, out, as_json)
        else:
            design_by_theory(study, as_json, part_of("0.5%"), out)
        return
    folder = folder_of(file) if out is None else out
    if isinstance(study, ScenarioStudy):
        run_scenarios(study, folder, workers, scheduler, as_json)
    else:
        run_studies({"": study}, folder, workers, scheduler, as_json)


def repeat(
    file: Path, out: Path | None, workers: int | None, scheduler: str | None, trust: bool, as_json: bool
) -> None:
    """Repeat an archive in a new folder, and say on stderr whether the same bits came out; the status is 1 if not."""
    from allpay.study.bundle import new_folder, unpacked, verdict

    archive = unpacked(file)
    folder = new_folder(file, out)
    run_specification(archive.specification, folder, workers, scheduler, trust, as_json)
    same, sentence = verdict(archive, folder)
    typer.echo(f"allpay: {sentence}", err=True)
    if not same:
        raise typer.Exit(1)


def run_specification(
    specification: "dict[str, Any]",
    out: Path,
    workers: int | None,
    scheduler: str | None,
    trust: bool,
    as_json: bool,
) -> None:
    """Run what a folder's specification describes."""
    from allpay.cli.experiments import run_experiments
    from allpay.cli.scenarios import run_scenarios
    from allpay.study.file import experiments_of, scenarios_of, studies_of

    asked, experiments = scenarios_of(specification, trust), experiments_of(specification, trust)
    if asked is not None:
        run_scenarios(asked, out, workers, scheduler, as_json)
    elif experiments is not None:
        run_experiments(experiments, out, workers, scheduler, as_json)
    else:
        run_studies(studies_of(specification, trust), out, workers, scheduler, as_json)


def folder_of(file: Path) -> Path:
    """The folder of a study file that is run: its own name without .toml, or with -study."""
    return file.with_suffix("") if file.suffix.lower() == ".toml" else file.with_name(f"{file.name}-study")


@command
@drawn
@in_tables
def resume(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    workers: Workers = None,
    scheduler: Scheduler = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Go on with the study in a folder, to the same bits as if it had never been interrupted; show the answer of one that is
    finished."""
    from allpay.cli.kept import tell_finished
    from allpay.study.store import read_folder

    if tell_finished(out, None, as_json):  # for which nothing that it names need be imported
        return
    run_specification(read_folder(out).specification, out, workers, scheduler, trust, as_json)


@command
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say how far the study in a folder is."""
    from allpay.cli.kept import tell_state

    tell_state(folder, as_json)


@command
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    file_format: Annotated[
        str, typer.Option("--format", help="csv, parquet, json (a line per row), latex or markdown")
    ] = "csv",
    to: Annotated[Path | None, typer.Option(help="the file to write", show_default="stdout")] = None,
    bids: Annotated[
        bool, typer.Option("--bids", help="what was bid in each round, by group and value, instead of the rounds")
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            help="which columns, with commas between: design,round,w1,revenue",
            show_default="all; of latex and markdown those that a paper needs",
        ),
    ] = None,
) -> None:
    """Give the finished rounds of a study as one table, or what was bid in them."""
    import polars as pl

    from allpay.files import write
    from allpay.study.received import outlines_of
    from allpay.study.store import check_below, read_folder
    from allpay.study.sweep import found_in, read, read_bids

    one_of("format", file_format, ("csv", "parquet", "json", "latex", "markdown"))
    specification = read_folder(folder).specification
    studies, tables = outlines_of(specification), []
    several = next((one for one in ("scenario", "experiment") if f"{one}s" in specification), None)
    for name, study in studies.items():
        check_below(folder, name)
        found, store = found_in(study, folder / name)
        if found.computed:
            table = (read_bids if bids else read)(store, found.computed)
            table = labelled(table, study.rule, study.learner) if len(studies) > 1 else table
            tables.append(table.select(pl.lit(name).alias(several), pl.all()) if several else table)
    if not tables:
        raise AllpayError(f"{folder} has no finished rounds yet: allpay resume {in_shell(folder)}")
    table = pl.concat(tables, how="diagonal" if several else "vertical")  # scenarios may have more bidders or fewer
    if bids and table.is_empty():
        raise AllpayError(
            f"{folder} was learned by an allpay that kept no bids: give the same command in another folder"
        )
    if not bids:
        table = without_empty(table, max(study.ranks for study in studies.values()))
    if columns is not None:
        asked = [one_of("column", name.strip(), table.columns) for name in columns.split(",")]
        table = table.select(list(dict.fromkeys(asked)))
    elif file_format in ("latex", "markdown"):
        table = for_paper(table)
    content = io.BytesIO()
    if file_format == "csv":
        table.write_csv(content)
    elif file_format == "parquet":
        table.write_parquet(content)
    elif file_format in ("latex", "markdown"):
        from allpay.report.words import Table, as_latex, as_markdown, in_a_column

        written = [in_a_column(column) if column.dtype.is_float() else [str(x) for x in column] for column in table]
        cells = [list(row) for row in zip(*written, strict=True)]
        caption = "What was bid, by round, group and value." if bids else "The rounds of every design."
        head = [name.replace("_", " ") for name in table.columns]
        made = (as_latex if file_format == "latex" else as_markdown)(Table([head, *cells], caption))
        content.write(f"{made}\n".encode())
    else:
        seeds = pl.selectors.by_name("seed", require_all=False)  # few readers of JSON take 64 bits
        table.with_columns(seeds.cast(pl.String)).write_ndjson(content)
    if to is None:
        sys.stdout.buffer.write(content.getvalue())
    else:
        write(to, lambda file: file.write(content.getvalue()))


@command
@drawn
@in_tables
def equilibrium(
    context: typer.Context,
    weights: Weights,
    rule: Rule = "prizes",
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    values_from: ValuesFrom = None,
    max_bid: MaxBid = None,
    overbidding: Annotated[
        bool | None,
        typer.Option(
            "--overbidding/--no-overbidding",
            help="whether a bid may exceed the bidder's value",
            show_default="overbidding",
            rich_help_panel=GAME,
        ),
    ] = None,
    cost_power: CostPower = 1.0,
    risk_aversion: RiskAversion = 0.0,
    group: GroupTexts = None,
    luck: Luck = "none",
    attendance: Attendance = 1.0,
    reserve: Reserve = 0.0,
    fee: Fee = 0.0,
    ties: Ties = "random",
    plot: Annotated[
        Path | None, typer.Option(help="draw bids and their density into this file (.png, .pdf, .svg)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The equilibrium of one design on continuous bids, by theory."""
    asked = dict(locals())
    from allpay.contest.game import Setting
    from allpay.report.curves import draw_equilibrium
    from allpay.report.look import place
    from allpay.theory import equilibrium as solve
    from allpay.theory import why_no_equilibrium

    if plot is not None:
        place(plot)
    known_from(values_from, asked, given_in(context))
    setting, n = contest_of(asked, given_in(context), Setting())
    rules, amounts = mechanism_of(rule, weights, n)
    game = setting.game(rules)
    found = solve(game)
    reason = why_no_equilibrium(game) if found is None else None
    if as_json:
        names = ("revenue", "highest_bid", "payoff", "pooled_from", "fees", "quantile", "bid")
        told = {name: None if found is None else plain(getattr(found, name)) for name in names}
        groups = None if found is None else [play.values(found.quantile) for play in found.groups]
        given = None if amounts is None else amounts.values()
        print_json({**told, "groups": plain(groups), "reason": reason, "given": given})
    elif found is None:
        typer.echo(f"No closed form for this design: {reason}")
    else:
        if amounts is not None:
            typer.echo(f"{amounts.sentence}\n")
        print_equilibrium(game, found)
    if found is not None and plot is not None:  # last, so that what cannot be drawn is still told
        typer.echo(f"allpay: wrote {draw_equilibrium(game, found, plot)}", err=True)


def print_equilibrium(game: "Game", found: "Equilibrium") -> None:
    """The numbers of an equilibrium, and its table of bids."""
    from allpay.report.curves import bids_in_words, quantiles_in_words
    from allpay.report.words import significant

    typer.echo(f"revenue      {significant(found.revenue, 6)}")
    typer.echo(f"highest bid  {significant(found.highest_bid, 6)}  (expected)")
    typer.echo(f"payoff       {significant(found.payoff, 6)}  (expected utility of one bidder)")
    if found.fees > 0:
        typer.echo(f"fees         {significant(found.fees, 6)}  (expected sum)")
    if found.pooled_from is not None:
        typer.echo(f"pooled from  {significant(found.pooled_from, 6)}  (from this quantile on all bid the cap)")
    typer.echo("")
    table = bids_in_words(game, found)
    typer.echo(table)
    if not table.lstrip().startswith("value"):  # a row for each of few values
        typer.echo(f"\n{quantiles_in_words(game)}")


@command
@drawn
def reproduce(
    out: Annotated[Path, typer.Option(help="folder for the rounds, the figure and the summary")] = Path(
        "allpay-reproduce"
    ),
    learners: Annotated[
        str,
        typer.Option(
            help="which learners, with commas between; all for fictitious-play, epsilon-greedy, dqn and ppo, which takes "
            "most of an hour",
            rich_help_panel=LEARNING,
        ),
    ] = "fictitious-play,epsilon-greedy",
    values: Values = "private",
    samples: Samples = 50,
    rounds: Rounds = 10,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the experiment: three bidders, weights (w, 1−w, 0), both rules, several learners, one figure."""
    from allpay.contest.mechanism import RULES
    from allpay.learners import EXPERIMENT
    from allpay.learners import learner as named
    from allpay.study import DesignSpace, Study
    from allpay.study.file import GameSection

    asked = [name.strip() for name in learners.split(",")]
    names = [name for asking in asked for name in (EXPERIMENT if asking == "all" else (asking,))]
    bidding = {name: named(name) for name in names}
    if len({bidders.name for bidders in bidding.values()}) < len(bidding):
        raise AllpayError(f"learners side by side must have names of their own: got {learners}; change the name of one")
    section = GameSection(values=values)
    studies = {
        f"{rule}/{name.replace(':', '.')}": Study(
            DesignSpace(rule), bidders, section.setting(bidders.setting), samples, rounds, seed=seed
        )
        for rule in RULES
        for name, bidders in bidding.items()
    }
    run_studies(studies, out, workers, scheduler, as_json)


@command
def verify(
    full: Annotated[
        bool, typer.Option("--full", help="more designs, bidders and rounds, finer grids; minutes")
    ] = False,
    seed: Seed = 0,
    lab: Annotated[
        bool,
        typer.Option("--lab", help="published experiments instead: theory, what was seen, and models of behaviour"),
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="write the results as a page into this file")] = None,
    as_json: AsJson = False,
) -> None:
    """Run every game whose equilibrium is known through theory, payoffs, sampled auctions and learners, and compare."""
    if lab:
        for option, given_as in (("--full", full), ("--seed", seed)):
            if given_as:
                raise AllpayError(f"{option} has no effect with --lab, which draws nothing: leave it out")
        _lab(markdown, as_json)
        return
    from allpay.learners.base import check_seed
    from allpay.verify import verify as run_checks
    from allpay.verify.page import as_page, as_text

    check_seed(seed)
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
    with reporting("cases") as reporter:
        report = run_checks(full, seed, reporter)
    if markdown is not None:
        from allpay.files import write

        write(markdown, lambda file: file.write(as_page(report).encode()))
    if as_json:
        checks = [check.values() for check in report.checks]
        failed = len(report.failures)
        print_json({"checks": checks, "failed": failed, "full": full, "seed": seed, "seconds": report.seconds})
    else:
        typer.echo(as_text(report))
    if report.failures:
        raise typer.Exit(1)


def _lab(markdown: Path | None, as_json: bool) -> None:
    """Published experiments beside theory and models of behaviour."""
    from dataclasses import asdict

    from allpay.files import write
    from allpay.verify.lab import experiments, held_against_people, lab_page, lab_text

    with reporting("models") as reporter:
        given = held_against_people(reporter)
    if markdown is not None:
        markdown.parent.mkdir(parents=True, exist_ok=True)
        write(markdown, lambda file: file.write(lab_page(given).encode()))
    if as_json:
        told = [{name: getattr(e, name) for name in ("name", "source", "setting", "observed")} for e in experiments()]
        print_json({"experiments": told, "models": [asdict(one) for one in given]})
    else:
        typer.echo(lab_text(given))


def mechanism_of(rule: str, weights: str, bidders: int | None) -> "tuple[Mechanism, Amounts | None]":
    """The mechanism of the options, three bidders, or as many as weights if these are more; and what weights were given as."""
    from allpay.contest.amounts import weights_in
    from allpay.contest.mechanism import Mechanism

    given, amounts = weights_in(weights, rule)
    n = max(3, len(given) if isinstance(given, tuple) else 0) if bidders is None else bidders
    return Mechanism.from_weights(rule, given, n), amounts


def part_of(text: str) -> float:
    """A part of something, as 0.5% or 0.005."""
    try:
        number = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise AllpayError(f"--within is a part above 0 and below 1, as 0.5% or 0.005: got {short(text, 40)}")
    return number


def step_in(text: str, money: float | None) -> float:
    """The step of weights that can be announced: in money, if that is given, or a part of 1, as 5%."""
    from allpay.contest.amounts import parts_in

    try:
        number = float(text.replace(",", "")) if money is not None and not text.endswith("%") else None
    except ValueError:
        raise AllpayError(f"--round-to takes an amount, as 250, or a part, as 5%: got {short(text, 40)}") from None
    if number is not None:
        return number
    if money is None and text.replace(",", "").replace(".", "").isdecimal() and float(text.replace(",", "")) > 1:
        raise AllpayError(f"--round-to {short(text, 40)} is an amount of money: say by --money what all prizes come to")
    found = parts_in(text, "--round-to without --money" if money is None else "--round-to")
    if len(found) > 1:
        raise AllpayError(f"--round-to takes one amount or part: got {short(text, 40)}")
    return found[0] * (money or 1.0)


def given_in(context: typer.Context) -> dict[str, str]:
    """The options of a command that its user wrote: their names, and how they are written."""
    sources = {option: context.get_parameter_source(str(option.name)) for option in context.command.params}
    return {
        str(option.name): option.opts[0]
        for option, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    }


def contest_of(
    asked: "Mapping[str, Any]", written: "Mapping[str, str]", usual: "Setting"
) -> "tuple[Setting, int | None]":
    """Who bids for what, and how many, from the options of a command by their names; those of `GameSection` that it has.

    Args:
        asked: the value of each option.
        written: how those are written that the user gave, also where that is the default; see `given_in`.
        usual: the setting that they change.

    Raises:
        AllpayError: if they contradict each other, one has no effect beside another, or one cannot be read.
    """
    from allpay.study.file import OF_ALL, GameSection, bidders_in
    from allpay.study.file import group as group_of

    given = {name: asked[name] for name in GameSection.model_fields if name in asked}
    groups = asked.get("group") or ()
    if groups:
        for name in OF_ALL:
            if name in written:
                raise AllpayError(
                    f"{written[name]} is said for each --group of bidders who differ: leave it out, or write it in a group, as "
                    "'2: uniform(0,1), cost 2'"
                )
    number: int | None = None
    text = asked["bidders"]
    if text is not None:
        try:
            number = int(text) if len(text) <= 20 else None
        except ValueError:
            number = None
        if number is None:
            if "attendance" in written:
                raise AllpayError("--attendance has no effect beside a random number of bidders: leave one of them out")
            given["attendance"] = _field_text(text)
    setting = GameSection(**given).setting(usual, [group_of(text) for text in groups])
    found = bidders_in(setting, number, -1)
    return setting, None if found == -1 else found


def known_from(
    folder: Path | None, asked: "dict[str, Any]", written: "Mapping[str, str]"
) -> "EstimatedValues | EstimatedGroups | None":
    """The estimate of a folder, if one is given; what is `asked` gets its values, their cost and attendance, or its groups.

    Raises:
        AllpayError: if there is none, or an option says otherwise.
    """
    if folder is None:
        return None
    from allpay.contest.preferences import PowerCost
    from allpay.estimate.families import words_of
    from allpay.estimate.kept import load
    from allpay.estimate.values import EstimatedGroups, EstimatedValues
    from allpay.report.estimated import group_texts, warnings_of

    try:
        found = load(folder)
    except AllpayError as error:
        raise AllpayError(f"--values-from: {error}") from None
    except OSError as error:
        raise AllpayError(
            f"--values-from: cannot read {shortened(str(folder), 80)}: {error.strerror}; give the folder of an estimate"
        ) from None
    named = f"--values-from {shortened(str(folder), 80)}"
    alike = isinstance(found, EstimatedValues)
    lucky = isinstance(found, EstimatedGroups) and found.luck is not None
    said = (*(() if alike else ("attendance",)), *(("luck",) if lucky else ()))
    for name in ("values", "distribution", "cost_power", "group", *said):
        if name in written:
            raise AllpayError(f"{written[name]} is part of what --values-from {folder} says: leave one of them out")
    if not isinstance(found, EstimatedValues):
        if "group" not in asked:
            raise AllpayError(
                f"{named} is of bidders who differ, for which this command has no theory: "
                "take allpay design or allpay compare"
            )
        asked["group"] = group_texts(found)
        if found.luck is not None:
            asked["luck"] = found.luck.text
        warn_of(named, warnings_of(found))
        return found
    assert isinstance(found.cost, PowerCost)
    asked["distribution"], asked["cost_power"] = words_of(found.distribution), found.cost.power
    if "attendance" not in written and found.presence < 1 and (asked["bidders"] or "0").isdecimal():
        asked["attendance"] = found.presence
    warn_of(named, warnings_of(found))
    return found


def bidders_of_most(found: "EstimatedValues | EstimatedGroups") -> str | None:
    """How many bidders most past contests had, which is said; None where they are of several groups."""
    from allpay.estimate.values import EstimatedValues

    if not isinstance(found, EstimatedValues):
        return None
    held: dict[int, int] = {}
    for kind in found.kinds:
        held[kind.kind.bidders] = held.get(kind.kind.bidders, 0) + kind.contests
    most = max(held, key=lambda number: held[number])
    why = "as all past contests had" if len(held) == 1 else "as most past contests had"
    typer.echo(f"allpay: for {most} bidders, {why}; --bidders names another number", err=True)
    return str(most)


def bidding_otherwise(study: "Study") -> str:
    """What keeps the bidders of a study from being risk-neutral and in equilibrium, as those of an estimate are; or nothing."""
    from allpay.contest.attitudes import Expected
    from allpay.contest.preferences import Neutral

    if behaviour := getattr(study.learner, "behaviour", ""):
        return f"bids are {behaviour}"
    bidders = [bidder for bidder, _ in study.game(study.designs[0]).groups]
    if all(isinstance(b.utility, Neutral) and b.joy == 0 and isinstance(b.attitude, Expected) for b in bidders):
        return ""
    return "bidders are not risk-neutral"


def warn_of(source: str, warnings: Sequence[str], said: int = 0) -> None:
    """Say on stderr, a line each, what speaks against the values of a source, unless it was `said`; `--json` has it as
    `warnings`."""
    for warning in warnings[said:]:
        typer.echo(f"allpay: {source}: {warning}", err=True)
    WARNINGS.set(tuple(warnings))


def numbers_in(text: str | None) -> tuple[str | None, ...]:
    """Several numbers with commas between, one by one; what is no such list stays whole."""
    parts = [] if text is None else text.split(",")
    return tuple(parts) if len(parts) > 1 and all(part.strip().isdecimal() for part in parts) else (text,)


def _field_text(text: str) -> str:
    """A text that names a field, if it does."""
    from allpay.contest.attendance import field

    if "," in text and all(part.strip().isdecimal() for part in text.split(",")):
        several = shortened(text.replace(" ", ""), 40)
        raise AllpayError(
            f"--bidders is one number here: got {short(text, 40)}; for several that may be true: "
            f"allpay design --bidders {several}, or allpay compare"
        )
    if not any(mark in text for mark in ":("):
        raise AllpayError(
            "--bidders takes a number, as 3, or how many may turn up, as 2:4, poisson(8) or binomial(10,0.8): got "
            f"{short(text, 40)}"
        )
    try:
        field(text)
    except AllpayError as error:
        raise AllpayError(f"--bidders: {error}") from None
    return text
