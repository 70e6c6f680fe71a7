"""The commands that answer a designer's questions: how good is this prize table, and how does the best design change?"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allpay.cli.commands import OF_LEARNERS, app, command, contest_of, given_in
from allpay.cli.console import plain, print_json, reporting
from allpay.cli.options import (
    GAME,
    LEARNING,
    SPACE,
    STUDY,
    AsJson,
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
    Samples,
    Sampling,
    Scheduler,
    Seed,
    Ties,
    Tolerance,
    ValueLevels,
    Values,
    Workers,
)
from allpay.errors import AllpayError, one_of, short, shortened

if TYPE_CHECKING:
    from allpay.contest.game import Setting
    from allpay.scenarios import Comparison
    from allpay.statics import Statics
    from allpay.study import DesignSpace

__all__ = ["app"]

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

MOST_STEPS = 1000
"""A range has so many steps at most."""

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
    noise: NoiseOfBids = None,
    level: Level = None,
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
    bidding = named(learner, **{name: asked[name] for name in ("iterations", "noise", "level", "tolerance")})
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


def _several(words: str, example: str = "1:3:0.25") -> Any:
    """An option that takes one number, several, or a range."""
    return typer.Option(help=f"{words}; several as 1,2,4, or a range as {example}", rich_help_panel=GAME)


SeveralBidders = Annotated[str, _several("how many bid", "3:20")]
CostPowers = Annotated[str, _several("p of the cost b^p of a paid bid b")]
RiskAversions = Annotated[str, _several("constant absolute risk aversion ρ of bidders")]
Attendances = Annotated[str, _several("the chance of each bidder to turn up")]
Reserves = Annotated[str, _several("a bid below it does not count")]
Fees = Annotated[str, _several("what everybody pays whose bid counts")]
MaxBids = Annotated[str | None, _several("the highest bid")]


@command
def sweep(
    bidders: SeveralBidders = "3",
    cost_power: CostPowers = "1",
    risk_aversion: RiskAversions = "0",
    attendance: Attendances = "1",
    reserve: Reserves = "0",
    fee: Fees = "0",
    max_bid: MaxBids = None,
    values: Values = "private",
    distribution: DistributionText = None,
    rule: Rule = "prizes",
    prizes: Prizes = None,
    first_at_most: FirstAtMost = None,
    first_at_least: FirstAtLeast = None,
    last_at_least: LastAtLeast = None,
    objective: Objective = "revenue",
    method: Annotated[
        str, typer.Option(help="theory: the best design by the closed form", rich_help_panel=STUDY)
    ] = "theory",
    out: Annotated[
        Path | None, typer.Option(help="write the table into this file: .csv, .parquet, .tex or .json")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="draw the best design and what it brings into this file (.png, .pdf, .svg)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The best design along one or two parameters: --bidders 3:20, --cost-power 1:3:0.25."""
    one_thread()
    asked = dict(locals())
    from allpay.report.statics import draw_statics, statics_in_words
    from allpay.report.style import place
    from allpay.statics import comparative_statics

    if method != "theory":
        raise AllpayError(
            f"a sweep is by theory: got --method {shortened(method, 40)}; simulate one contest with allpay design"
        )
    if plot is not None:
        place(plot)
    check_table(out, TABLES)
    over, setting, space = varied(asked)
    with reporting() as reporter, reporter.stage("looking for the best designs by theory"):
        swept = comparative_statics(over, setting, space, objective, reporter.advance)
    if out is not None:
        TABLES[out.suffix](swept, out)
        typer.echo(f"allpay: wrote {out}", err=True)
    if as_json:
        print_json(swept.to_json())
    else:
        typer.echo(statics_in_words(swept))
    if plot is not None:
        typer.echo(f"allpay: wrote {draw_statics(swept, plot)}", err=True)


@command
def compare(
    context: typer.Context,
    designs: Annotated[
        list[str] | None,
        typer.Argument(
            help="the designs, each one word: 0.6,0.3,0.1, 50%,30%,20%, 7500,5000,2500", show_default="none"
        ),
    ] = None,
    bidders: SeveralBidders = "3",
    cost_power: CostPowers = "1",
    risk_aversion: RiskAversions = "0",
    attendance: Attendances = "1",
    reserve: Reserves = "0",
    fee: Fees = "0",
    max_bid: MaxBids = None,
    values: Values = "private",
    distribution: DistributionText = None,
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
    from allpay.cli.scenarios import compare_scenarios
    from allpay.contest.amounts import weights_in
    from allpay.learners import learner as named
    from allpay.report.style import place
    from allpay.scenarios import scenarios_over
    from allpay.study import Study
    from allpay.study.scenario import ScenarioStudy, common_space

    if plot is not None:
        place(plot)
    written = given_in(context)
    learning = [written[name] for name in OF_SCENARIOS_LEARNED if name in written]
    by = (
        ("surrogate" if learning else "theory") if method is None else one_of("method", method, ("theory", "surrogate"))
    )
    if by == "theory" and learning:
        raise AllpayError(f"{learning[0]} has no effect with --method theory, which simulates nothing: leave it out")
    if out is not None and (out.suffix or out.is_file()):
        check_table(out, COMPARISONS)
    if group and "bidders" in written:
        raise AllpayError("--bidders has no effect beside --group, which says how many there are: leave it out")
    bidding = named(learner, **{name: asked[name] for name in OF_LEARNERS})
    over, setting, space = varied(asked, bidding.setting if by == "surrogate" else None)
    given = [weights_in(text, rule)[0] for text in designs or ()]
    scenarios = scenarios_over(over, setting, space)
    common = common_space(space, scenarios)
    study = Study(common, bidding, setting, samples, rounds, objective, seed, sampling)
    asking = ScenarioStudy(study, scenarios, tuple(common.complete(weights) for weights in given))
    compare_scenarios(asking, by, out, COMPARISONS, plot, workers, scheduler, as_json)


def varied(
    asked: Mapping[str, Any], usual: "Setting | None" = None
) -> "tuple[dict[str, list[float]], Setting, DesignSpace]":
    """The parameters that vary, of those whose texts are among what was asked, and the setting and designs at the others.

    Args:
        asked: the options by name.
        usual: the setting that they change.
    """
    from allpay.contest.game import Setting
    from allpay.statics import PARAMETERS
    from allpay.study import DesignSpace
    from allpay.study.file import GameSection
    from allpay.study.file import group as group_of

    texts = {name: asked[name] for name in PARAMETERS if asked[name] is not None}
    found = {name: numbers_in(f"--{name.replace('_', '-')}", text, name == "bidders") for name, text in texts.items()}
    over = {name: numbers for name, numbers in found.items() if len(numbers) > 1}
    fixed: dict[str, Any] = {name: numbers[0] for name, numbers in found.items() if len(numbers) == 1}
    number = int(fixed.pop("bidders", max(found["bidders"])))
    fixed |= {name: asked[name] for name in GameSection.model_fields if name in asked and name not in PARAMETERS}
    groups = [group_of(text) for text in asked.get("group") or ()]
    number = sum(kind.count for kind in groups) or number
    setting = GameSection(**fixed).setting(usual or Setting(), groups)
    fewest, prizes = min(int(min(found["bidders"])), number) if not groups else number, asked["prizes"]
    if prizes is not None and prizes > fewest:
        raise AllpayError(f"--prizes {prizes} needs --bidders {prizes} or more: got {fewest}")
    bounds = {name: asked[name] for name in ("first_at_most", "first_at_least", "last_at_least")}
    return over, setting, DesignSpace(asked["rule"], number, prizes, **bounds)


def numbers_in(option: str, text: str, whole: bool = False) -> list[float]:
    """The numbers that a text gives: one, several with commas between, or a range `first:last` or `first:last:step`.

    Raises:
        AllpayError: if it cannot be read, or is too long.
    """
    how = f"{option} takes a number, several as 1,2,4, or a range as {'3:20' if whole else '1:3:0.25'}"
    try:
        if ":" not in text:
            numbers = [float(part) for part in text.split(",")]
        else:
            first, last, *steps = (float(part) for part in text.split(":"))
            step = steps[0] if steps else 1.0
            if len(steps) > 1 or not step > 0 or not first < last or not last - first <= MOST_STEPS * step:
                raise ValueError
            count = int((last - first) / step + 1e-9)
            numbers = [round(first + k * step, 12) for k in range(count + 1)]
    except (ValueError, OverflowError):
        raise AllpayError(f"{how}: got {short(text, 40)}") from None
    if whole and not all(x.is_integer() for x in numbers):
        raise AllpayError(f"{option} takes whole numbers: got {short(text, 40)}")
    return list(dict.fromkeys(numbers))


def check_table(out: Path | None, kinds: Mapping[str, Any]) -> None:
    """Raise AllpayError if a table is to be written in a way that is none of these."""
    if out is not None and out.suffix not in kinds:
        raise AllpayError(f"a table is written as {', '.join(kinds)}: got {shortened(str(out), 80)}")


def _write_csv(swept: "Statics | Comparison", path: Path) -> None:
    from allpay.files import write

    write(path, swept.table.write_csv)


def _write_parquet(swept: "Statics | Comparison", path: Path) -> None:
    from allpay.files import write

    write(path, swept.table.write_parquet)


def _write_tex(swept: "Statics", path: Path) -> None:
    from allpay.files import write
    from allpay.report.statics import statics_in_latex

    write(path, lambda file: file.write(statics_in_latex(swept).encode()))


def _write_json(swept: "Statics | Comparison", path: Path) -> None:
    import json

    from allpay.files import write

    write(path, lambda file: file.write(json.dumps(plain(swept.to_json()), indent=2).encode()))


TABLES = {".csv": _write_csv, ".parquet": _write_parquet, ".tex": _write_tex, ".json": _write_json}
"""How a table is written, by the ending of its file."""

COMPARISONS = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json}
"""The same for the table of `compare`."""


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
