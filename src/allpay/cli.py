"""The command line: a thin layer over the library's calls. What a command computes is imported when it runs.

Results go to stdout, as text or with --json as one JSON object; progress and errors go to stderr.
"""

import errno
import functools
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from allpay.errors import AllpayError, one_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from allpay.mechanism import Mechanism
    from allpay.pipeline import Result
    from allpay.study import Study
    from allpay.study.file import GameSection

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

GAME, LEARNING, STUDY = "Who bids, for what, and how", "Learning", "Study"

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
        "ppo; or interior-point, which solves the grid game",
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
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="exploitability, as a part of the top prize, at which a round counts as converged; "
        "fictitious play stops there",
        show_default="0.01, and no stop",
        rich_help_panel=LEARNING,
    ),
]
Samples = Annotated[int, typer.Option(help="how many designs are drawn", rich_help_panel=STUDY)]
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
    typer.Option(help="how many ranks may carry weight", show_default="all but the last", rich_help_panel=STUDY),
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
            out = options.get("out")
            kept = f"; what is finished is kept in {out}, and the same command goes on from there" if out else ""
            fail(f"stopped{kept}", INTERRUPTED)
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


def fail(message: str, status: int) -> None:
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
    tolerance: Tolerance = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Let bidders learn under one design, and say what it brings."""
    from allpay.learners import learn
    from allpay.learners import learner as named
    from allpay.pipeline import Estimate, coarseness
    from allpay.simplex import shown
    from allpay.theory import equilibrium, why_no_equilibrium

    rules = mechanism_of(rule, weights, bidders)
    bidding = named(learner, iterations=iterations, exploration=exploration, tolerance=tolerance)
    section = game_section(
        values, distribution, value_levels, bid_levels, max_bid, overbidding, cost_power, risk_aversion
    )
    game = section.setting(bidding.setting).game(rules)
    start = time.perf_counter()
    outcome = learn(game, bidding, rounds, seed)
    seconds = time.perf_counter() - start
    exact = equilibrium(game)
    note = coarseness(game, exact, float(outcome.revenue.mean()))
    estimates = {
        name: Estimate(tuple(getattr(outcome, name)[0].tolist()))
        for name in ("revenue", "highest_bid", "exploitability", "realised_revenue", "realised_highest_bid")
    }
    if as_json:
        print_json(
            {
                "weights": rules.prizes if rule == "prizes" else rules.payments,
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
                "seed": seed,
                "seconds": seconds,
            }
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    names = {
        "revenue": "revenue",
        "realised_revenue": "realised",
        "highest_bid": "highest bid",
        "exploitability": "exploitability",
    }
    for heading in ("round", *names.values(), "verdict"):
        table.add_column(heading, justify="left" if heading == "verdict" else "right")
    for r in range(rounds):
        table.add_row(str(r + 1), *(f"{estimates[n].rounds[r]:.4f}" for n in names), outcome.verdicts[0, r])
    table.add_section()
    table.add_row("mean", *(f"{estimates[n].mean:.4f}" for n in names), style="bold")
    table.add_row("± s.e.", *("–" if rounds == 1 else f"{estimates[n].stderr:.4f}" for n in names))
    if exact is not None:
        table.add_row("theory", f"{exact.revenue:.4f}", "", f"{exact.highest_bid:.4f}", "0")
    weighed = shown(rules.prizes if rule == "prizes" else rules.payments, 4)
    console = Console(highlight=False)
    console.print(f"{rule} {weighed}, {game.bidders} bidders, {values} values, {learner}, {seconds:.1f} s\n")
    console.print(table)
    console.print(f"\n{outcome.sentence}", soft_wrap=True)
    if note:
        console.print(note, soft_wrap=True)
    if exact is None:
        console.print(f"No closed form to compare with: {why_no_equilibrium(game)}", soft_wrap=True)


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
    samples: Samples = 50,
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

    bidding = named(learner, iterations=iterations, exploration=exploration, tolerance=tolerance)
    section = game_section(
        values, distribution, value_levels, bid_levels, max_bid, overbidding, cost_power, risk_aversion
    )
    study = Study(
        DesignSpace(rule, 3 if bidders is None else bidders, prizes),
        bidding,
        section.setting(bidding.setting),
        samples=samples,
        rounds=rounds,
        objective=objective,
        seed=seed,
    )
    if one_of("method", method, ("surrogate", "theory")) == "theory":
        for name in (
            "learner",
            "samples",
            "rounds",
            "iterations",
            "exploration",
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
    from allpay.study.file import study_of
    from allpay.study.store import read_folder

    run_study(study_of(read_folder(out)["specification"]), out, workers, scheduler, as_json)


@command
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a study's folder", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say how far the study in a folder is."""
    import polars as pl

    from allpay.study.file import study_of
    from allpay.study.store import Store, in_use, read_folder, result_is_there
    from allpay.study.sweep import Sweep, batches_of, finished

    study = study_of(read_folder(folder)["specification"])
    whole, damaged = finished(study, Store(folder))
    batches = batches_of(study)
    designs = sum(len(batches[b]) for b in whole)
    verdicts = Sweep(study, pl.concat(whole.values())).verdicts if whole else {}
    values = {
        "rule": study.space.rule,
        "learner": study.learner.name,
        "designs": designs,
        "samples": study.samples,
        "rounds": study.rounds,
        "batches": len(whole),
        "damaged": damaged,
        "running": in_use(folder),
        "finished": designs == study.samples and result_is_there(folder),
        "verdicts": verdicts,
    }
    if as_json:
        print_json(values)
        return
    typer.echo(
        f"{study.space.rule}, {study.learner.name}: {designs} of {study.samples} designs × {study.rounds} rounds"
    )
    if verdicts:
        typer.echo("runs: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    if damaged:
        typer.echo(f"damaged batches, which will be run again: {', '.join(map(str, damaged))}")
    if values["running"]:
        typer.echo("a process is running it now")
    elif values["finished"]:
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
    import io

    import polars as pl

    from allpay.study.file import study_of
    from allpay.study.store import Store, read_folder, write
    from allpay.study.sweep import finished

    one_of("format", file_format, ("csv", "parquet", "json"))
    study = study_of(read_folder(folder)["specification"])
    whole, _ = finished(study, Store(folder))
    if not whole:
        raise AllpayError(f"{folder} has no finished rounds yet: allpay resume {folder}")
    table = pl.concat([whole[b] for b in sorted(whole)])
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
        str, typer.Option(help="which learners, with commas between, or all", rich_help_panel=LEARNING)
    ] = "fictitious-play,epsilon-greedy",
    samples: Samples = 50,
    rounds: Rounds = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Run the experiment: three bidders, weights (w, 1−w, 0), both rules, several learners, one figure."""
    from allpay.learners import LEARNERS
    from allpay.learners import learner as named
    from allpay.mechanism import RULES
    from allpay.pipeline import design as find_design
    from allpay.report.summary import summarise_all
    from allpay.study import DesignSpace, Study
    from allpay.study.store import open_store
    from allpay.study.study import versions

    names = list(LEARNERS) if learners == "all" else [name.strip() for name in learners.split(",")]
    bidding = {name: named(name) for name in names}
    asked = {"learners": names, "samples": samples, "rounds": rounds, "seed": seed}
    start = time.perf_counter()
    results = []
    with reporting() as reporter, open_store(out, {"reproduce": asked}, versions()):
        for rule in RULES:
            for name, bidders in bidding.items():
                study = Study(DesignSpace(rule), bidders, samples=samples, rounds=rounds, seed=seed)
                results.append(find_design(study, out / rule / name, reporter))
        files = write_results(results, out, reporter)
    seconds = time.perf_counter() - start
    if as_json:
        print_json({"results": [result_values(r) for r in results], "seconds": seconds, "files": files})
    else:
        typer.echo(summarise_all(results))
        typer.echo(f"\n{seconds:.0f} s. Written to {out}: " + ", ".join(Path(f).name for f in files))


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

    with reporting("cases") as reporter:
        report = run_checks(full, seed, reporter)
    if markdown is not None:
        from allpay.study.store import write

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


def run_study(study: "Study", out: Path | None, workers: int, scheduler: str | None, as_json: bool) -> None:
    """The whole pipeline for a study, and what it found on stdout."""
    from allpay.pipeline import design as find_design
    from allpay.report.summary import summarise

    study.game(study.designs[0])  # what the options get wrong is said before anything is computed or written
    with reporting() as reporter:
        result = find_design(study, out, reporter, workers=workers, scheduler=scheduler)
        files = [] if out is None else write_results([result], out, reporter)
    for batch in result.sweep.damaged:
        typer.echo(f"allpay: batch {batch} in {out} was damaged and has been run again", err=True)
    if as_json:
        print_json({**result_values(result), "files": files})
        return
    typer.echo(summarise(result))
    if files:
        typer.echo(f"\nWritten to {out}: " + ", ".join(Path(f).name for f in files))


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
        "interval": best.interval[0] if study.space.dimension == 2 else best.interval,
        "flat": best.flat,
        "sentence": best.sentence,
        "confidence": best.confidence,
        "resolution": result.resolution,
        "checked": {"mean": result.checked.mean, "stderr": result.checked.stderr, "rounds": result.checked.rounds},
        "surrogate": {"r2": result.surrogate.r2, "rmse": result.surrogate.rmse},
        "equilibrium": result.exact,
        "equilibrium_best": None if result.exact_best is None else vars(result.exact_best),
        "verdicts": result.sweep.verdicts,
        "samples": study.samples,
        "rounds": study.rounds,
        "seed": study.seed,
        "seconds": result.seconds,
    }


def write_results(results: "list[Result]", out: Path, reporter: Any) -> list[str]:
    """The table of all rounds, the figure, the summary and the values, into a folder; the files that were written."""
    import polars as pl

    from allpay.report.figures import draw_designs
    from allpay.report.summary import summarise, summarise_all
    from allpay.study.store import RESULT, write
    from allpay.study.study import versions

    with reporter.stage("writing figure and tables"):
        rounds = pl.concat(
            [
                r.sweep.table.select(
                    pl.lit(r.sweep.study.space.rule).alias("rule"),
                    pl.lit(r.sweep.study.learner.name).alias("learner"),
                    pl.all(),
                )
                for r in results
            ]
        )
        text = summarise_all(results) if len(results) > 1 else summarise(results[0])
        values = {
            "versions": versions(),
            "results": [{**result_values(r), "specification": r.sweep.study.specification()} for r in results],
        }
        write(out / "rounds.parquet", rounds.write_parquet)
        write(out / "rounds.csv", rounds.write_csv)
        write(out / "summary.txt", lambda file: file.write(f"{text}\n".encode()))
        write(out / RESULT, lambda file: file.write(json.dumps(plain(values), indent=2).encode()))
        figures = draw_designs(results, out / "figure.png")
    return [str(out / name) for name in ("summary.txt", "rounds.parquet", "rounds.csv", "result.json")] + [
        str(path) for path in figures
    ]


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

    @contextmanager
    def stage(self, what: str) -> Iterator[None]:
        self.task = self.progress.add_task(what, total=None)
        yield
        total = self.progress.tasks[self.task].total or 1
        self.progress.update(self.task, total=total, completed=total)

    def advance(self, done: int, total: int) -> None:
        self.progress.update(self.task, completed=done, total=total)


@contextmanager
def reporting(unit: str = "designs") -> Iterator[Bars]:
    """Progress bars on stderr while it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        Elapsed(),
        Remaining(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress)


def main() -> None:
    """The program `allpay`."""
    app()


if __name__ == "__main__":
    main()
