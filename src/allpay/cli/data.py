"""The commands that begin with data: what past contests say of their bidders."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allpay.cli.again import check_free, write_command
from allpay.cli.commands import command
from allpay.cli.console import plain, print_json, reporting
from allpay.cli.drawing import drawn, in_tables
from allpay.cli.options import AsJson, Seed
from allpay.cli.questions import app
from allpay.errors import AllpayError, exactly, one_of

if TYPE_CHECKING:
    from allpay.estimate.past import Contests, Read
    from allpay.estimate.values import EstimatedValues

__all__ = ["app"]

COLUMNS, MODEL = "Which columns are what", "What is assumed and asked"

FILES = ("estimate.json", "summary.txt", "values.csv", "range.csv", "study.toml", "figure.png", "figure.pdf")
"""What a folder gets of an estimate."""


def _column(what: str, usual: str) -> Any:
    return typer.Option(help=what, show_default=usual, rich_help_panel=COLUMNS, metavar="NAME")


Table = Annotated[
    Path,
    typer.Argument(
        help="past contests: a row for each bidder, or for each contest; CSV with any separator, or Parquet",
        show_default=False,
    ),
]
USUAL = "found by usual names"
WORTH = "what the whole purse was worth to the bidder"
ContestColumn = Annotated[str | None, _column("which contest", USUAL)]
BidderColumn = Annotated[str | None, _column("who", USUAL)]
BidColumns = Annotated[list[str] | None, _column("what was bid, or the score; several for one row a contest", USUAL)]
RankColumn = Annotated[str | None, _column("the place, 1 the best", USUAL)]
PrizeColumns = Annotated[list[str] | None, _column("what the bidder won, or several: what each rank wins", USUAL)]
OneTable = Annotated[
    str | None,
    typer.Option(
        help="one table for all contests, as 7500,5000,2500 or 50%,30%,20%",
        show_default="from the file",
        rich_help_panel=COLUMNS,
    ),
]
Banned = Annotated[
    bool,
    typer.Option(
        "--no-overbidding",
        help="no bid may exceed the bidder's value, where the table tells values: those that do are refused",
        rich_help_panel=MODEL,
    ),
]


def check_ban(contests: "Contests", banned: bool) -> None:
    """Raise AllpayError if bids above values are banned where no values are told."""
    if banned and contests.value is None:
        raise AllpayError("--no-overbidding has no effect on a table that tells no values: leave it out")


@command
@drawn
@in_tables
def estimate(
    context: typer.Context,
    file: Table,
    contest: ContestColumn = None,
    bidder: BidderColumn = None,
    bid: BidColumns = None,
    rank: RankColumn = None,
    prize: PrizeColumns = None,
    prizes: OneTable = None,
    group: Annotated[str | None, _column("the kind of bidder, each estimated apart", USUAL)] = None,
    value_column: Annotated[
        str | None,
        _column(f"{WORTH}: values then come from it, and bids test the model", USUAL),
    ] = None,
    bids_only: Annotated[
        bool,
        typer.Option(
            "--bids-only", help="find values from bids, also where the table tells them", rich_help_panel=MODEL
        ),
    ] = False,
    alike: Annotated[
        bool,
        typer.Option("--alike", help="take all bidders as of one kind, whatever their group", rich_help_panel=MODEL),
    ] = False,
    cost_power: Annotated[
        str,
        typer.Option(
            help="the power p: a bid b that is paid costs its bidder b^p; a number; or estimate, or a range as 1:3, where "
            "contests differ and so tell it; where they do not, the best split over the range",
            rich_help_panel=MODEL,
        ),
    ] = "1",
    luck: Annotated[
        str | None,
        typer.Option(
            help="luck that has a part in ranks: tullock, normal, …, how much of it ranks tell; or tullock(1), normal(0.2) if "
            "you know; or a range, as normal(0.1:0.3): the best split over it, where ranks do not tell",
            show_default="none",
            rich_help_panel=MODEL,
        ),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="what is told are scores, bids and luck together; --luck says how much",
            rich_help_panel=MODEL,
        ),
    ] = False,
    family: Annotated[
        str | None,
        typer.Option(
            help="of distributions: beta, lognormal, power, uniform, or curve, which has no formula",
            show_default="the best on contests left out",
            rich_help_panel=MODEL,
        ),
    ] = None,
    max_bid: Annotated[
        float | None,
        typer.Option(help="the highest bid that was allowed", show_default="none", rich_help_panel=MODEL),
    ] = None,
    banned: Banned = False,
    resamples: Annotated[
        int, typer.Option(help="how often contests are drawn anew, for the uncertainty", rich_help_panel=MODEL)
    ] = 200,
    out: Annotated[Path, typer.Option(help="the folder for the estimate", rich_help_panel=MODEL)] = Path("estimate"),
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """What past bids say of how much bidders want to win: the distribution of values, for `allpay design --values-from`."""
    from allpay.contest.preferences import PowerCost
    from allpay.estimate.kept import save, values_of
    from allpay.estimate.known import estimate_known, known_values
    from allpay.estimate.luck import Asked
    from allpay.estimate.over import bidders_of, over_luck, over_powers
    from allpay.estimate.past import read_contests
    from allpay.estimate.power import Sought, cost_of, differ
    from allpay.estimate.values import EstimatedGroups, EstimatedValues, estimate_groups, estimate_values
    from allpay.estimate.with_luck import estimate_with_luck, ranks_tell
    from allpay.files import in_shell
    from allpay.report.estimated import cautions, estimate_in_words, identification, warnings_of, write_estimate
    from allpay.report.past import read_in_words

    check_free(out, FILES)
    paying = cost_of(cost_power)
    with reporting("resamples") as reporter:
        with reporter.stage("reading contests"):
            contests, read = read_contests(
                file,
                contest=contest,
                bidder=bidder,
                bid=bid or None,
                rank=rank,
                group=group,
                value=value_column,
                prize=prize or None,
                prizes=prizes,
                max_bid=max_bid,
                overbidding=not banned,
                luck=luck is not None,
                estimable=luck is None or scores,
            )
        check_ban(contests, banned)
        if max_bid is not None and (capped := int((contests.there & (contests.bid >= max_bid)).sum())):
            typer.echo(
                f"allpay: {capped:,} of {int(contests.there.sum()):,} bids are at the cap of {exactly(max_bid)}: what is found "
                "of the values behind them is too low, for they are taken to be as high as their bidders wished",
                err=True,
            )
        apart = len(contests.groups) > 1 and not alike
        if not apart:
            contests = replace(contests, group=None, groups=())
        if scores and luck is None:
            luck = "normal"  # whose amount scores do not tell, which is said
        if luck is not None and family is not None:
            raise AllpayError("--family has no effect with --luck, where no family is assumed: leave it out")
        lottery = None if luck is None else Asked.of(luck)
        known = known_values(contests) > 0 and not bids_only and luck is None
        if luck is not None and known_values(contests) > 0 and not bids_only:
            typer.echo(
                "allpay: with --luck values are found from bids; those that the table tells are not used", err=True
            )
        if known and family is not None:
            raise AllpayError(
                "--family has no effect where the table tells values: leave it out, or the values aside by --bids-only"
            )

        def by(cost: PowerCost | Sought, amount: str | None, draws: int) -> EstimatedValues | EstimatedGroups:
            told: dict[str, Any] = {"cost": cost, "resamples": draws, "seed": seed}
            told["reporter"] = reporter if draws == resamples else None
            if amount is not None:
                return estimate_with_luck(contests, amount, scores=scores, **told)
            if known:
                return estimate_known(contests, **told)
            return (estimate_groups if apart else estimate_values)(contests, family=family, **told)

        unpriced = isinstance(paying, Sought) and paying.given and not differ(contests) and not known
        unsure = lottery is not None and lottery.within is not None and not ranks_tell(contests, scores)
        if unpriced and unsure:
            raise AllpayError(
                f"these contests tell neither luck nor the power of cost: give one of them as a number: got --luck {luck} and "
                f"--cost-power {cost_power}"
            )
        if unpriced and isinstance(paying, Sought):
            found = over_powers(contests, paying, lambda cost, draws: by(cost, luck, draws), resamples, reporter)
        elif unsure and lottery is not None:
            found = over_luck(lottery, lambda amount, draws: by(paying, amount, draws), resamples, reporter)
        else:
            found = by(paying, luck, resamples)
        out.mkdir(parents=True, exist_ok=True)
        save(found, out)
        files = [FILES[0], *write_estimate(found, out)]
        write_command(context, out)
    if as_json:
        told = {
            "read": plain(asdict(read)),
            "estimate": plain(values_of(found)),
            "identification": identification(found),
            "warnings": warnings_of(found),
        }
        print_json({**told, "files": files})
        return
    typer.echo(f"{estimate_in_words(found, read_in_words(contests, read))}\n\nWritten to {out}: {', '.join(files)}")
    if not cautions(found):
        alike = isinstance(found, EstimatedValues)  # for whom theory has a formula
        who = f" --bidders {bidders_of(found)} --method theory" if alike else ""
        typer.echo(f"Next: allpay design --values-from {in_shell(out)}{who}")


@command
@in_tables
def fit(
    context: typer.Context,
    file: Table,
    contest: ContestColumn = None,
    bidder: BidderColumn = None,
    bid: BidColumns = None,
    rank: RankColumn = None,
    prize: PrizeColumns = None,
    prizes: OneTable = None,
    value_column: Annotated[str | None, _column(WORTH, USUAL)] = None,
    value: Annotated[
        float | None,
        typer.Option(
            help="what the whole purse was worth to everybody, if no column says",
            show_default="none",
            rich_help_panel=MODEL,
        ),
    ] = None,
    cost_power: Annotated[
        str,
        typer.Option(
            help="the power p: a bid b that is paid costs its bidder b^p; a number; or, where values are not known, estimate, "
            "or a range as 1:3: the power at which three kinds of contests or more agree best",
            rich_help_panel=MODEL,
        ),
    ] = "1",
    max_bid: Annotated[
        float | None,
        typer.Option(
            help="the highest bid that was allowed", show_default="what anybody may want to bid", rich_help_panel=MODEL
        ),
    ] = None,
    banned: Banned = False,
    luck: Annotated[
        str, typer.Option(help="how ranks were decided: none, tullock(1), normal(0.2), …", rich_help_panel=MODEL)
    ] = "none",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="of behaviour, one or several: logit, joy, averse, crra, losses, prelec, disappointment, level-k, hierarchy",
            show_default="all",
            rich_help_panel=MODEL,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="a folder for the result", show_default="nothing is kept", rich_help_panel=MODEL)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do people bid as models say? Theory beside bids, and models of behaviour, fitted and compared by contests left out."""
    from allpay.contest.success import success
    from allpay.estimate.behaviour import MODELS
    from allpay.estimate.fit import fit_models
    from allpay.estimate.past import read_contests
    from allpay.estimate.power import Sought, cost_of, differ
    from allpay.estimate.values import estimate_values
    from allpay.report.fitted import FILES as OF_FIT
    from allpay.report.fitted import fitted_in_words, fitted_values, write_fitted
    from allpay.report.past import read_in_words

    check_free(out, OF_FIT)
    rule, paying = success(luck), cost_of(cost_power)
    for name in model or ():
        one_of("model", name, MODELS)
    with reporting("models") as reporter:
        with reporter.stage("reading contests"):
            contests, read = read_contests(
                file,
                contest=contest,
                bidder=bidder,
                bid=bid or None,
                rank=rank,
                prize=prize or None,
                value=value_column,
                prizes=prizes,
                max_bid=max_bid,
                overbidding=not banned,
                luck=rule.lucky,
            )
        check_ban(contests, banned)
        if contests.value is None and value is None:
            if isinstance(paying, Sought) and not differ(contests):
                raise AllpayError(
                    f"contests that are all alike tell no power of cost: got --cost-power {cost_power}; give a number, as 2"
                )
            test = estimate_values(contests, cost=paying, resamples=1, reporter=reporter)
            tell_test(contests, read, test, as_json)
            return
        if isinstance(paying, Sought):
            raise AllpayError(
                f"a model of behaviour and another power of cost explain the same bids, so that fit needs a number: got "
                f"--cost-power {cost_power}; allpay estimate finds the power at which known values and equilibrium fit best"
            )
        with reporter.stage("fitting models of behaviour"):
            found = fit_models(
                contests,
                tuple(dict.fromkeys(model)) if model else tuple(MODELS),
                value=value,
                cost=paying,
                max_bid=max_bid,
                luck=rule if rule.lucky else None,
                advance=reporter.advance,
            )
        files = []
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            files = write_fitted(found, out)
            write_command(context, out)
    if as_json:
        print_json({"read": plain(asdict(read)), **fitted_values(found), "files": files})
        return
    typer.echo(f"{read_in_words(contests, read)}\n\n{fitted_in_words(found)}")
    if out is not None:
        typer.echo(f"\nWritten to {out}: {', '.join(files)}")


NEEDS = (
    "Models of behaviour are fitted where it is known what prizes were worth: give a column of values, or one value for all as "
    "--value 1."
)
"""What is missing where values are not known."""


def tell_test(contests: "Contests", read: "Read", test: "EstimatedValues", as_json: bool) -> None:
    """Whether bids answer to prizes, where values are not known: that alone can be told."""
    from allpay.report.estimated import answers_in_words, power_in_words
    from allpay.report.past import read_in_words

    if as_json:
        kinds = [
            {"bidders": k.kind.bidders, "prizes": list(k.kind.prizes), "beyond": k.beyond, "error": k.error}
            for k in test.kinds
        ]
        power = None if test.power is None else test.power.number
        told = {"models": None, "kinds": plain(kinds), "cost_power": power, "needs": NEEDS}
        print_json({"read": plain(asdict(read)), **told})
        return
    typer.echo("\n\n".join([read_in_words(contests, read), *power_in_words(test), answers_in_words(test), NEEDS]))
