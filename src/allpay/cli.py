"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

Results go to stdout, as text or with --json as one JSON object; progress and errors go to stderr.
"""

import errno
import functools
import io
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from allpay.errors import AllpayError, one_of

if TYPE_CHECKING:
    from polars import DataFrame
    from rich.console import Console
    from rich.progress import Progress

    from allpay.mechanism import Mechanism
    from allpay.outcome import Outcome
    from allpay.pipeline import Estimate, Result
    from allpay.study import Study
    from allpay.study.file import GameSection
    from allpay.theory import Equilibrium

app = typer.Typer(
    name="allpay",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Design all-pay auctions and contests by simulation: bidders learn under many designs, a network learns what the "
    "designs bring, mirror ascent finds the best one, and fresh simulation and theory check it.",
)

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

NOT_WRITTEN = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says where output cannot be written."""

MOST_ROWS_AS_TEXT = 1_000_000
"""Longer tables are not written as .csv beside the .parquet; `allpay export` does it."""

GAME, LEARNING, SPACE, STUDY = "Who bids, for what, and how", "Learning", "Which designs", "Study"

Weights = Annotated[
    str, typer.Option(help="w for (w, 1−w, 0, …), or a weight per rank: 0.5,0.3,0.2", show_default=False)
]
Rule = Annotated[
    str,
    typer.Option(
        help="what the weights set: [b]prizes[/b], the split of the prize while every bidder pays its bid; "
        "[b]payments[/b], the fraction of its bid that each rank pays while the highest wins"
    ),
]
LearnerName = Annotated[
    str,
    typer.Option(
        "--learner",
        help="how bidders learn: fictitious-play, epsilon-greedy, regret-matching, multiplicative-weights, logit-play, dqn, "
        "ppo; interior-point, which solves the grid game; or one of your own, as package.module:Class",
        rich_help_panel=LEARNING,
    ),
]
Bidders = Annotated[
    int | None,
    typer.Option(help="how many bid; 3, or as many as weights are given if these are more", rich_help_panel=GAME),
]
Values = Annotated[str, typer.Option(help="private or common values", rich_help_panel=GAME)]
DistributionText = Annotated[
    str | None,
    typer.Option(
        "--distribution",
        help="of private values: uniform(0,1), power(2), beta(2,5), integers(0,9)",
        show_default="uniform(0,1)",
        rich_help_panel=GAME,
    ),
]
ValueLevels = Annotated[
    int | None, typer.Option(help="how many values a bidder can have", show_default="by learner", rich_help_panel=GAME)
]
BidLevels = Annotated[
    int | None, typer.Option(help="how many bids there are", show_default="by learner", rich_help_panel=GAME)
]
MaxBid = Annotated[
    float | None,
    typer.Option(help="the highest bid", show_default="the highest that can be rational", rich_help_panel=GAME),
]
Overbidding = Annotated[
    bool | None,
    typer.Option(
        "--overbidding/--no-overbidding",
        help="whether a bid may exceed the bidder's value",
        show_default="by learner",
        rich_help_panel=GAME,
    ),
]
CostPower = Annotated[float, typer.Option(help="p of the cost b^p of a paid bid b", rich_help_panel=GAME)]
RiskAversion = Annotated[float, typer.Option(help="constant absolute risk aversion ρ of bidders", rich_help_panel=GAME)]
Rounds = Annotated[int, typer.Option(help="independent rounds of learning under each design", rich_help_panel=LEARNING)]
Iterations = Annotated[
    int | None,
    typer.Option(
        help="iterations, or auctions, of learning in a round", show_default="by learner", rich_help_panel=LEARNING
    ),
]
Exploration = Annotated[
    int | None,
    typer.Option(
        help="auctions in which bids are random (epsilon-greedy)", show_default="400000", rich_help_panel=LEARNING
    ),
]
Bids = Annotated[
    str | None,
    typer.Option(help="grid, or continuous for a density of bids (ppo)", show_default="grid", rich_help_panel=LEARNING),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="exploitability, as a part of the top prize, at which a round counts as converged; "
        "fictitious play stops there",
        show_default="0.01, and no stop",
        rich_help_panel=LEARNING,
    ),
]
Samples = Annotated[
    int, typer.Option(help="how many designs are tried; of a grid, or actively, at most", rich_help_panel=STUDY)
]
Objective = Annotated[
    str, typer.Option(help="what the design is chosen for: revenue or highest-bid", rich_help_panel=STUDY)
]
Seed = Annotated[int, typer.Option(help="same seed, same result")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="folder for rounds, figure and summary; one that holds some of the same study is gone on with",
        show_default="nothing is kept",
        rich_help_panel=STUDY,
    ),
]

Prizes = Annotated[
    int | None,
    typer.Option(
        help="how many ranks may carry weight", show_default="all but the last; all in a box", rich_help_panel=SPACE
    ),
]
Box = Annotated[
    bool,
    typer.Option(
        "--box",
        help="payments: the fraction that each rank pays is free in 0 … 1, without order and sum",
        rich_help_panel=SPACE,
    ),
]
FirstAtMost = Annotated[
    float | None, typer.Option(help="the most that the first weight can be", show_default="none", rich_help_panel=SPACE)
]
FirstAtLeast = Annotated[
    float | None,
    typer.Option(help="the least that the first weight can be", show_default="none", rich_help_panel=SPACE),
]
LastAtLeast = Annotated[
    float | None,
    typer.Option(
        help="the least weight of the last rank that may carry any", show_default="none", rich_help_panel=SPACE
    ),
]
Sampling = Annotated[
    str | None,
    typer.Option(
        help="how designs are spread: uniform, sobol, or grid (the finest of at most so many samples)",
        show_default="uniform, or sobol with --strategy active",
        rich_help_panel=SPACE,
    ),
]
Strategy = Annotated[
    str,
    typer.Option(
        help="sample: all designs are drawn before any is learned; active: after a first batch they are chosen where much "
        "is to be hoped for",
        rich_help_panel=STUDY,
    ),
]
Precision = Annotated[
    float | None,
    typer.Option(
        help="with --strategy active: stop when the interval of the best value is narrower than this part of it",
        show_default="use all samples",
        rich_help_panel=STUDY,
    ),
]
Workers = Annotated[int, typer.Option(help="processes that learn side by side", rich_help_panel=STUDY)]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="address of a running Dask scheduler whose workers learn", show_default="none", rich_help_panel=STUDY
    ),
]

Command = TypeVar("Command", bound=Callable[..., None])


def command(function: Command) -> Command:
    """Register a command whose bad input ends in one line on stderr and a nonzero status, with nothing lost."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> None:
        if sys.stdout is None:
            fail("stdout is closed: send it to a file, or to /dev/null", FAILED)
        try:
            function(*args, **options)
            sys.stdout.flush()
        except AllpayError as error:
            fail(str(error), BAD_INPUT)
        except KeyboardInterrupt:
            fail("stopped", INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has seen enough
            discard_output()
            raise typer.Exit(0) from None
        except OSError as error:
            if error.filename is not None:
                fail(f"cannot use {error.filename}: {error.strerror}; choose another place", FAILED)
            if error.errno not in NOT_WRITTEN:
                raise
            discard_output()
            fail(f"cannot write the results: {error.strerror}; send stdout elsewhere", FAILED)
        except MemoryError as error:
            detail = f" ({error})" if str(error) else ""
            fail(f"out of memory{detail}: take fewer bidders, values, bids or rounds", FAILED)

    app.command()(wrapped)
    return function


def discard_output() -> None:
    """Send what stdout still holds nowhere, or the interpreter tries to write it once more as it ends, and complains."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> NoReturn:
    """End the program with one line."""
    typer.echo(f"allpay: {message}", err=True)
    raise typer.Exit(status)


@app.callback()
def program(
    version: Annotated[bool, typer.Option("--version", help="say which version this is")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"allpay {version_of('allpay')}")
        raise typer.Exit


@command
def simulate(
    weights: Weights,
    rule: Rule = "prizes",
    learner: LearnerName = "fictitious-play",
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
    max_bid: MaxBid = None,
    overbidding: Overbidding = None,
    cost_power: CostPower = 1.0,
    risk_aversion: RiskAversion = 0.0,
    rounds: Rounds = 10,
    iterations: Iterations = None,
    exploration: Exploration = None,
    bids: Bids = None,
    tolerance: Tolerance = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Let bidders learn under one design, and say what it brings."""
    from allpay.learners import learner as named
    from allpay.study import DesignSpace, Study

    rules = mechanism_of(rule, weights, bidders)
    bidding = named(learner, iterations=iterations, exploration=exploration, bids=bids, tolerance=tolerance)
    section = game_section(
        values, distribution, value_levels, bid_levels, max_bid, overbidding, cost_power, risk_aversion
    )
    design = rules.prizes if rule == "prizes" else rules.payments
    setting = section.setting(bidding.setting)
    setting.game(rules)  # what the options get wrong is said before anything is computed or written
    space = DesignSpace(rule, rules.bidders)
    simulate_study(Study(space, bidding, setting, rounds=rounds, seed=seed, given=(design,)), out, as_json)


@command
def design(
    context: typer.Context,
    rule: Rule = "prizes",
    learner: LearnerName = "fictitious-play",
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    value_levels: ValueLevels = None,
    bid_levels: BidLevels = None,
    max_bid: MaxBid = None,
    overbidding: Overbidding = None,
    cost_power: CostPower = 1.0,
    risk_aversion: RiskAversion = 0.0,
    prizes: Prizes = None,
    box: Box = False,
    first_at_most: FirstAtMost = None,
    first_at_least: FirstAtLeast = None,
    last_at_least: LastAtLeast = None,
    sampling: Sampling = None,
    samples: Samples = 50,
    strategy: Strategy = "sample",
    precision: Precision = None,
    rounds: Rounds = 10,
    objective: Objective = "revenue",
    method: Annotated[
        str,
        typer.Option(
            help="surrogate: learn, fit, ascend; theory: ascend the exact objective of the equilibrium",
            rich_help_panel=STUDY,
        ),
    ] = "surrogate",
    iterations: Iterations = None,
    exploration: Exploration = None,
    bids: Bids = None,
    tolerance: Tolerance = None,
    out: Out = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find the best design: sample designs, let bidders learn, fit a network, ascend it, check the answer."""
    from allpay.learners import learner as named
    from allpay.study import DesignSpace, Study

    bidding = named(learner, iterations=iterations, exploration=exploration, bids=bids, tolerance=tolerance)
    section = game_section(
        values, distribution, value_levels, bid_levels, max_bid, overbidding, cost_power, risk_aversion
    )
    study = Study(
        DesignSpace(
            rule,
            3 if bidders is None else bidders,
            prizes,
            "box" if box else "simplex",
            first_at_most,
            first_at_least,
            last_at_least,
        ),
        bidding,
        section.setting(bidding.setting),
        samples=samples,
        rounds=rounds,
        objective=objective,
        seed=seed,
        sampling=sampling,
        strategy=strategy,
        precision=precision,
    )
    if one_of("method", method, ("surrogate", "theory")) == "theory":
        for name in (
            "learner",
            "samples",
            "sampling",
            "strategy",
            "precision",
            "rounds",
            "iterations",
            "exploration",
            "bids",
            "tolerance",
            "out",
            "workers",
            "scheduler",
        ):
            source = context.get_parameter_source(name)
            if source is not None and source.name == "COMMANDLINE":
                raise AllpayError(f"--{name} has no effect with --method theory, which simulates nothing: leave it out")
        design_by_theory(study, as_json)
        return
    study.game(study.designs[0])  # what the options get wrong is said before anything is computed or written
    run_study(study, out, workers, scheduler, as_json)


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
    typer.echo(f"Wrote {file}. Change it, then: allpay run {file}")


@command
def run(
    file: Annotated[Path, typer.Argument(help="a study file, see `allpay init`", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="the study's folder", show_default="the file's name without .toml")
    ] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Run a study file: sweep, fit, ascend, check; all of it kept in a folder."""
    from allpay.study.file import read_study

    run_study(read_study(file), file.with_suffix("") if out is None else out, workers, scheduler, as_json)


@command
def resume(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    workers: Workers = 1,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Go on with the study in a folder, to the same bits as if it had never been interrupted."""
    from allpay.study.file import studies_of
    from allpay.study.store import read_folder

    run_studies(studies_of(read_folder(out).specification), out, workers, scheduler, as_json)


@command
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say how far the study in a folder is."""
    from allpay.study.file import studies_of
    from allpay.study.store import in_use, read_folder, result_is_there
    from allpay.study.sweep import found_in, read, verdicts

    states: list[dict[str, Any]] = []
    running = in_use(folder)
    for name, study in studies_of(read_folder(folder).specification).items():
        found, store = found_in(study, folder / name)
        states.append(
            {
                "rule": study.space.rule,
                "learner": study.learner.name,
                "designs": found.designs,
                "samples": study.samples,
                "active": study.active,
                "rounds": study.rounds,
                "batches": len(found.computed),
                "damaged": found.damaged,
                "foreign": [path.name for path in found.foreign],
                "verdicts": verdicts(read(store, found.computed)) if found.computed else {},
                # an active study may need fewer than all
                "complete": not found.damaged and (found.designs == study.samples or study.active),
            }
        )
    finished = all(s.pop("complete") for s in states) and result_is_there(folder)
    if as_json:
        several = {"studies": states} if len(states) > 1 else states[0]
        print_json({**several, "running": running, "finished": finished})
        return
    for s in states:
        of = f"of {'at most ' if s['active'] else ''}{s['samples']}"
        typer.echo(f"{s['rule']}, {s['learner']}: {s['designs']} {of} designs × {s['rounds']} rounds")
        if s["verdicts"]:
            typer.echo("runs: " + ", ".join(f"{count} {verdict}" for verdict, count in s["verdicts"].items()))
        if s["damaged"]:
            typer.echo(f"damaged batches, which will be run again: {', '.join(map(str, s['damaged']))}")
        if s["foreign"]:
            typer.echo(f"files of no batch of this study, which will be set aside: {', '.join(s['foreign'])}")
    if running:
        typer.echo("a process is running it now")
    elif finished:
        typer.echo(f"finished: see {folder / 'summary.txt'}")
    else:
        typer.echo(f"not finished: allpay resume {folder}")


@command
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    file_format: Annotated[str, typer.Option("--format", help="csv, parquet or json (a line per row)")] = "csv",
    to: Annotated[Path | None, typer.Option(help="the file to write", show_default="stdout")] = None,
) -> None:
    """Give the finished rounds of a study as one table."""
    import polars as pl

    from allpay.files import write
    from allpay.study.file import studies_of
    from allpay.study.store import read_folder
    from allpay.study.sweep import found_in, read

    one_of("format", file_format, ("csv", "parquet", "json"))
    studies, tables = studies_of(read_folder(folder).specification), []
    for name, study in studies.items():
        found, store = found_in(study, folder / name)
        if found.computed:
            table = read(store, found.computed)
            tables.append(labelled(table, study) if len(studies) > 1 else table)
    if not tables:
        raise AllpayError(f"{folder} has no finished rounds yet: allpay resume {folder}")
    table = pl.concat(tables)
    content = io.BytesIO()
    if file_format == "csv":
        table.write_csv(content)
    elif file_format == "parquet":
        table.write_parquet(content)
    else:
        table.write_ndjson(content)
    if to is None:
        sys.stdout.buffer.write(content.getvalue())
    else:
        write(to, lambda file: file.write(content.getvalue()))


@command
def equilibrium(
    weights: Weights,
    rule: Rule = "prizes",
    bidders: Bidders = None,
    values: Values = "private",
    distribution: DistributionText = None,
    max_bid: MaxBid = None,
    overbidding: Annotated[
        bool,
        typer.Option(
            "--overbidding/--no-overbidding", help="whether a bid may exceed the bidder's value", rich_help_panel=GAME
        ),
    ] = True,
    cost_power: CostPower = 1.0,
    risk_aversion: RiskAversion = 0.0,
    plot: Annotated[
        Path | None, typer.Option(help="draw bids and their density into this file (.png, .pdf, .svg)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The symmetric equilibrium of one design on continuous bids, by theory."""
    from allpay.game import Setting
    from allpay.report.curves import bids_in_words, draw_equilibrium
    from allpay.theory import equilibrium as solve
    from allpay.theory import why_no_equilibrium

    section = game_section(values, distribution, None, None, max_bid, overbidding, cost_power, risk_aversion)
    game = section.setting(Setting()).game(mechanism_of(rule, weights, bidders))
    found = solve(game)
    reason = why_no_equilibrium(game) if found is None else None
    if found is not None and plot is not None:
        typer.echo(f"allpay: wrote {draw_equilibrium(game, found, plot)}", err=True)
    if as_json:
        names = ("revenue", "highest_bid", "payoff", "pooled_from", "quantile", "bid")
        print_json(
            {**{name: None if found is None else plain(getattr(found, name)) for name in names}, "reason": reason}
        )
        return
    if found is None:
        typer.echo(f"No closed form for this design: {reason}")
        return
    typer.echo(f"revenue      {found.revenue:.6f}\nhighest bid  {found.highest_bid:.6f}  (expected)")
    typer.echo(f"payoff       {found.payoff:.6f}  (expected utility of one bidder)")
    if found.pooled_from is not None:
        typer.echo(f"pooled from  {found.pooled_from:.6f}  (from this quantile on all bid the cap)")
    typer.echo("")
    typer.echo(bids_in_words(game, found))


@command
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
    workers: Workers = 1,
    scheduler: Scheduler = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the experiment: three bidders, weights (w, 1−w, 0), both rules, several learners, one figure."""
    from allpay.learners import EXPERIMENT
    from allpay.learners import learner as named
    from allpay.mechanism import RULES
    from allpay.study import DesignSpace, Study

    names = list(EXPERIMENT) if learners == "all" else [name.strip() for name in learners.split(",")]
    bidding = {name: named(name) for name in names}
    if len({bidders.name for bidders in bidding.values()}) < len(bidding):
        raise AllpayError(f"learners side by side must have names of their own: got {learners}; change the name of one")
    section = game_section(values, None, None, None, None, None, 1.0, 0.0)
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
    markdown: Annotated[Path | None, typer.Option(help="write the results as a page into this file")] = None,
    as_json: AsJson = False,
) -> None:
    """Run every game whose equilibrium is known through theory, payoffs, sampled auctions and learners, and compare."""
    from allpay.verify import verify as run_checks
    from allpay.verify.page import as_page, as_text

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


def mechanism_of(rule: str, weights: str, bidders: int | None) -> "Mechanism":
    """The mechanism of the options; three bidders, or as many as weights if these are more."""
    from allpay.mechanism import Mechanism

    given = parse_weights(weights)
    n = max(3, len(given)) if bidders is None else bidders
    return Mechanism.from_weights(rule, given[0] if len(given) == 1 else given, n)


def parse_weights(text: str) -> list[float]:
    """Numbers with commas between."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise AllpayError(
            f"cannot read the weights {text!r}: write w as 0.8, or a weight per rank as 0.5,0.3,0.2"
        ) from None
    if "," in text and "." not in text and sum(numbers) >= 2:
        raise AllpayError(
            f"weights must sum to 1: {text} sum to {sum(numbers):g}; decimals are written with a point: 0.8"
        )
    return numbers


def game_section(
    values: str,
    distribution: str | None,
    value_levels: int | None,
    bid_levels: int | None,
    max_bid: float | None,
    overbidding: bool | None,
    cost_power: float,
    risk_aversion: float,
) -> "GameSection":
    """The options that say who bids for what, as the section `[game]` of a study file."""
    from allpay.study.file import GameSection

    return GameSection(
        values=values,
        distribution=distribution,
        value_levels=value_levels,
        bid_levels=bid_levels,
        max_bid=max_bid,
        overbidding=overbidding,
        cost_power=cost_power,
        risk_aversion=risk_aversion,
    )


def simulate_study(study: "Study", out: Path | None, as_json: bool) -> None:
    """What the only design of a study brings, on stdout and, if it is given, in a folder."""
    start, store = time.perf_counter(), None
    try:
        with reporting("rounds") as bars, ExitStack() as stack:
            from rich.console import Console

            from allpay.files import write
            from allpay.pipeline import Estimate, coarseness
            from allpay.progress import listening
            from allpay.study.store import RESULT, open_store
            from allpay.study.sweep import learn_one
            from allpay.theory import equilibrium
            from allpay.versions import versions

            specification, rule, learner = study.specification(), study.space.rule, study.learner.name
            if out is not None:
                store = stack.enter_context(open_store(out, specification, versions()))
            with bars.stage(f"{rule}, {learner}: bidders learn"), listening(bars.advance):
                outcome = learn_one(study, store)
            seconds = time.perf_counter() - start
            game = outcome.games[0]
            exact = equilibrium(game)
            note = coarseness(game, exact, float(outcome.revenue.mean()))
            estimates = {
                name: Estimate(tuple(getattr(outcome, name)[0].tolist()))
                for name in ("revenue", "highest_bid", "exploitability", "realised_revenue", "realised_highest_bid")
            }
            weights = study.designs[0].tolist()
            values = {
                "weights": weights,
                "rule": rule,
                "learner": learner,
                **{name: {"mean": e.mean, "stderr": e.stderr, "rounds": e.rounds} for name, e in estimates.items()},
                "relative_exploitability": outcome.relative_exploitability[0],
                "total_exploitability": outcome.total_exploitability[0],
                "exploitability_history": outcome.history[0],
                "asymmetry": outcome.asymmetry[0],
                "converged": bool(outcome.converged.all()),
                "verdicts": outcome.verdicts[0].tolist(),
                "sentence": outcome.sentence,
                "equilibrium": None if exact is None else {"revenue": exact.revenue, "highest_bid": exact.highest_bid},
                "note": note,
                "auctions": outcome.auctions,
                "iterations": outcome.iterations[0].tolist(),
                "seed": study.seed,
                "seconds": seconds,
            }
            told = simulated_in_words(study, outcome, estimates, exact, note, seconds)
            if out is not None and store is not None:
                held = {"versions": versions(), "results": [{**values, "specification": specification}]}
                text = io.StringIO()
                told(Console(file=text, highlight=False, width=100))
                write(out / "summary.txt", lambda file: file.write(text.getvalue().encode()))
                write(out / RESULT, lambda file: file.write(json.dumps(plain(held), indent=2).encode()))
                store.log(f"written: summary.txt, {RESULT}")
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    if as_json:
        print_json(values)
    else:
        told(Console(highlight=False))


def simulated_in_words(
    study: "Study",
    outcome: "Outcome",
    estimates: "dict[str, Estimate]",
    exact: "Equilibrium | None",
    note: str | None,
    seconds: float,
) -> "Callable[[Console], None]":
    """What one design brings, for people: a table of the rounds, and sentences; it is printed on the console given."""
    from rich.table import Table

    from allpay.game import Private
    from allpay.simplex import shown
    from allpay.theory import why_no_equilibrium

    game = outcome.games[0]
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = {
        "revenue": "revenue",
        "realised_revenue": "realised",
        "highest_bid": "highest bid",
        "exploitability": "exploitability",
    }
    for heading in ("round", *names.values(), "verdict"):
        table.add_column(heading, justify="left" if heading == "verdict" else "right")
    for r in range(study.rounds):
        table.add_row(str(r + 1), *(f"{estimates[n].rounds[r]:.4f}" for n in names), outcome.verdicts[0, r])
    table.add_section()
    table.add_row("mean", *(f"{estimates[n].mean:.4f}" for n in names), style="bold")
    table.add_row("± s.e.", *("–" if study.rounds == 1 else f"{estimates[n].stderr:.4f}" for n in names))
    if exact is not None:
        table.add_row("theory", f"{exact.revenue:.4f}", "", f"{exact.highest_bid:.4f}", "0")
    kind = "private" if isinstance(game.values, Private) else "common"
    played = f"{study.space.rule} {shown(study.designs[0].tolist(), 4)}, {game.bidders} bidders, {kind} values"

    def told(console: "Console") -> None:
        console.print(f"{played}, {study.learner.name}, {seconds:.1f} s\n")
        console.print(table)
        console.print(f"\n{outcome.sentence}", soft_wrap=True)
        if note:
            console.print(note, soft_wrap=True)
        if exact is None:
            console.print(f"No closed form to compare with: {why_no_equilibrium(game)}", soft_wrap=True)

    return told


def go_on(error: KeyboardInterrupt | AllpayError, folder: Path | None) -> NoReturn:
    """End the program with one line that says how to go on with the study in a folder, if there is one."""
    kept = "" if folder is None else f"; what is finished is kept: allpay resume {folder}"
    if isinstance(error, KeyboardInterrupt):
        fail(f"stopped{kept}", INTERRUPTED)
    raise AllpayError(f"{error}{kept}") from error


def run_study(study: "Study", out: Path | None, workers: int, scheduler: str | None, as_json: bool) -> None:
    """The whole pipeline for a study, and what it found on stdout."""
    study.game(study.designs[0])  # what the options get wrong is said before anything is computed or written
    run_studies({"": study}, out, workers, scheduler, as_json)


def run_studies(
    studies: "dict[str, Study]", out: Path | None, workers: int, scheduler: str | None, as_json: bool
) -> None:
    """The whole pipeline for the studies of a folder, by their folders below it, and what they found on stdout."""
    only = next(iter(studies.values()))
    if len(studies) == 1 and only.samples == 1:
        simulate_study(only, out, as_json)
        return
    start = time.perf_counter()
    results, files, store = [], [], None
    try:
        with reporting() as reporter, ExitStack() as stack:
            from allpay.files import write
            from allpay.pipeline import design as find_design
            from allpay.study.batches import designs_per_batch
            from allpay.study.file import together
            from allpay.study.store import SURROGATE, open_store
            from allpay.versions import versions

            if out is not None:
                size = max(designs_per_batch(study) for study in studies.values())
                store = stack.enter_context(open_store(out, together(studies), versions(), size))
            for name, study in studies.items():
                folder = None if out is None else store if name == "" else out / name
                results.append(find_design(study, folder, reporter, workers=workers, scheduler=scheduler))
                if out is not None:
                    write(out / name / SURROGATE, results[-1].surrogate.save)
            if out is not None and store is not None:
                files = write_results(results, out, reporter)
                store.log("written: " + ", ".join(Path(f).name for f in files))
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    seconds, single = time.perf_counter() - start, len(results) == 1
    if as_json:
        values = [result_values(r) for r in results]
        print_json({**values[0], "files": files} if single else {"results": values, "seconds": seconds, "files": files})
        return
    typer.echo(summary_of(results))
    if files:
        took = "" if single else f"{seconds:.0f} s. "
        typer.echo(f"\n{took}Written to {out}: " + ", ".join(Path(f).name for f in files))


def design_by_theory(study: "Study", as_json: bool) -> None:
    """Print the best design by the closed form."""
    from allpay.pipeline import best_in_theory
    from allpay.simplex import shown

    assert study.setting is not None
    start = time.perf_counter()
    best = best_in_theory(study.space, study.setting, study.objective)
    seconds = time.perf_counter() - start
    if as_json:
        values = {
            "best": None if best is None else {"weights": best.weights, "value": best.value},
            "flat": None if best is None else best.flat,
            "fraction": None if best is None else best.fraction,
        }
        print_json(
            {"rule": study.space.rule, "method": "theory", "objective": study.objective, **values, "seconds": seconds}
        )
        return
    if best is None:
        typer.echo("No design that was looked at has an equilibrium in closed form: use --method surrogate.")
        return
    among = (
        "" if best.fraction == 1 else f" among the {best.fraction:.0%} of the designs looked at that have a closed form"
    )
    if best.flat:
        typer.echo(f"Every design{among} has the {study.objective} {best.value:.6g}: none is best; {seconds:.2f} s.")
    else:
        worth = f"{study.objective} {best.value:.6g}; {seconds:.2f} s."
        typer.echo(f"Best design in equilibrium{among}: {shown(best.weights, 4)}, {worth}")
    if best.fraction < 1:
        typer.echo("The others, as where a ban on overbidding binds, may be better: use --method surrogate for them.")


def result_values(result: "Result") -> dict[str, Any]:
    """What `--json` gives of a result."""
    study, best = result.sweep.study, result.optimum
    return {
        "rule": study.space.rule,
        "learner": study.learner.name,
        "objective": study.objective,
        "best": {"weights": best.weights, "value": best.value, "low": best.low, "high": best.high},
        "interval": best.interval[0] if study.space.line else best.interval,
        "flat": best.flat,
        "sentence": best.sentence,
        "confidence": best.confidence,
        "resolution": result.resolution,
        "checked": {"mean": result.checked.mean, "stderr": result.checked.stderr, "rounds": result.checked.rounds},
        "surrogate": {"r2": result.surrogate.r2, "rmse": result.surrogate.rmse},
        "equilibrium": result.exact,
        "equilibrium_best": None if result.exact_best is None else vars(result.exact_best),
        "verdicts": result.sweep.verdicts,
        "region": study.space.region,
        "strategy": study.strategy,
        "samples": study.samples,
        "designs": result.sweep.designs,
        "stopped": result.sweep.stopped,
        "rounds": study.rounds,
        "seed": study.seed,
        "seconds": result.seconds,
    }


def write_results(results: "list[Result]", out: Path, reporter: Any) -> list[str]:
    """The table of all rounds, the figure, the summary and the values, into a folder; the files that were written."""
    import polars as pl

    from allpay.files import write
    from allpay.report.figures import draw_designs
    from allpay.report.tables import by_design
    from allpay.study.store import RESULT
    from allpay.versions import versions

    with reporter.stage("writing figure and tables"):
        rounds = pl.concat([labelled(r.sweep.table, r.sweep.study) for r in results])
        text = summary_of(results)
        values = {
            "versions": versions(),
            "results": [
                {
                    **result_values(r),
                    "optimum": vars(r.optimum),
                    "specification": r.sweep.study.specification(),
                    "computed": [{"batches": numbers, "versions": made} for numbers, made in r.sweep.computed],
                }
                for r in results
            ],
        }
        tables = ["rounds.parquet"]
        write(out / "rounds.parquet", rounds.write_parquet)
        if rounds.height <= MOST_ROWS_AS_TEXT:
            tables.append("rounds.csv")
            write(out / "rounds.csv", rounds.write_csv)
        write(out / "designs.csv", by_design(results).write_csv)
        write(out / "summary.txt", lambda file: file.write(f"{text}\n".encode()))
        write(out / RESULT, lambda file: file.write(json.dumps(plain(values), indent=2).encode()))
        figures = draw_designs(results, out / "figure.png")
    return [str(out / name) for name in ("summary.txt", *tables, "designs.csv", RESULT)] + [
        str(path) for path in figures
    ]


def summary_of(results: "list[Result]") -> str:
    """What one study says in words, or several beside each other, with a table."""
    from allpay.report.summary import summarise, summarise_all
    from allpay.report.tables import as_text

    return summarise(results[0]) if len(results) == 1 else f"{summarise_all(results)}\n\n{as_text(results)}"


def labelled(table: "DataFrame", study: "Study") -> "DataFrame":
    """The rows of a study, with its rule and its learner."""
    import polars as pl

    return table.select(pl.lit(study.space.rule).alias("rule"), pl.lit(study.learner.name).alias("learner"), pl.all())


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what is not a number is null."""
    print(json.dumps(plain(values), allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON takes it."""
    if isinstance(value, Mapping):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Bars:
    """Tells on stderr how far long work is: a bar for each stage, with the time that is left."""

    def __init__(self, progress: "Progress") -> None:
        self.progress = progress
        self.task: Any = None
        self.started = self.interrupted = False

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        self.task = self.progress.add_task(what, total=None)
        self.started = True
        self.stop_if_interrupted()
        yield
        self.stop_if_interrupted()
        total = self.progress.tasks[self.task].total or 1
        self.progress.update(self.task, total=total, completed=total)

    def advance(self, done: float, total: float) -> None:
        self.progress.update(self.task, completed=done, total=total, counted=True)

    def interrupt(self, _: int, frame: FrameType | None) -> None:
        """Stop at a Ctrl-C; but where a library would catch that, or make another error of it, at the next stage.

        They do while they are imported, before the first stage, and JAX while Python collects garbage.
        """
        caught = not self.started or (frame is not None and frame.f_code.co_name.endswith("gc_callback"))
        if self.interrupted or not caught:
            raise KeyboardInterrupt
        self.interrupted = True

    def stop_if_interrupted(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt


@contextmanager
def reporting(unit: str = "designs") -> Iterator[Bars]:
    """Progress bars on stderr while it is a terminal; and what must be known, in any case."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining
    from rich.table import Column
    from rich.text import Text

    from allpay.progress import listening

    class What(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.description, no_wrap=True, overflow="ellipsis")

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            counted = task.fields.get("counted")
            return Text(f"{int(task.completed)}/{task.total:.0f} {unit}" if counted else "", style="progress.download")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed if task.fields.get("counted") else None
            return Text(f"{speed:.3g}/s" if speed else "", style="progress.data.speed")

    def whole() -> Column:
        return Column(no_wrap=True)

    console = Console(stderr=True)
    columns = (  # where the terminal is narrow, what is being done is cut short, not how far it is
        SpinnerColumn(table_column=whole()),
        What(),
        BarColumn(bar_width=12, table_column=whole()),
        Count(table_column=whole()),
        Rate(table_column=whole()),
        Elapsed(table_column=whole()),
        Remaining(table_column=whole()),
    )
    # batches may take minutes: what is done in the last ones says how long the others will take
    bars = Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=900)
    with bars as progress, listening(tell=lambda text: typer.echo(f"allpay: {text}", err=True)):
        reporter, before = Bars(progress), signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, reporter.interrupt)
        try:
            yield reporter
        finally:
            if signal.getsignal(signal.SIGINT) == reporter.interrupt:
                signal.signal(signal.SIGINT, before)


def main() -> None:
    """The program `allpay`."""
    app()


if __name__ == "__main__":
    main()
