"""The options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

GAME, LEARNING, SPACE, STUDY = "Who bids, for what, and how", "Learning", "Which designs", "Study"

Weights = Annotated[
    str,
    typer.Option(
        help="w for (w, 1−w, 0, …), or a weight per rank: 0.5,0.3,0.2; prizes also as 7500,5000,1000x5, 50%,30%,20% or 3/5,2/5",
        show_default=False,
    ),
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
        "ppo; interior-point, which solves the grid game; logit-equilibrium, how people bid who err; level-k; or one of your "
        "own, as package.module:Class",
        rich_help_panel=LEARNING,
    ),
]
Bidders = Annotated[
    str | None,
    typer.Option(
        help="how many bid; or how many may turn up, a number that bidders do not know: 40:120 (each as likely), poisson(80), "
        "binomial(100,0.8)",
        show_default="3, or as many as weights or groups say",
        rich_help_panel=GAME,
    ),
]
GroupTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        help="bidders who differ, an option for each kind: '2: uniform(0,1)', '8: uniform(0,0.5), cost 2' (whose bid b costs "
        "b²); also common(0.5), scale, averse, relative, wealth, losses, cap, head-start, handicap, presence, joy, "
        "no-overbidding; and of chances prelec(0.65), tversky-kahneman(0.61), disappointment(0.5)",
        show_default=False,
        rich_help_panel=GAME,
    ),
]
Luck = Annotated[
    str,
    typer.Option(
        help="how ranks are decided: none, by the highest bid; tullock(r), with chances in proportion to bid^r; or by bids "
        "plus noise: normal(0.2), logistic, gumbel, uniform, exponential, pareto(scale,power); normal(0.2,log) on their "
        "logarithm",
        rich_help_panel=GAME,
    ),
]
Attendance = Annotated[
    float,
    typer.Option(
        help="the chance that a bidder turns up; bidders know this chance, but not who comes", rich_help_panel=GAME
    ),
]
Reserve = Annotated[
    float, typer.Option(help="a bid below it does not count; a bidder may stay out", rich_help_panel=GAME)
]
Fee = Annotated[
    float, typer.Option(help="what everybody pays whose bid counts; a bidder may stay out", rich_help_panel=GAME)
]
Ties = Annotated[
    str,
    typer.Option(
        help="random, or seconds-pay: every loser who ties for the second place pays what the second pays",
        rich_help_panel=GAME,
    ),
]
Values = Annotated[str, typer.Option(help="private or common values", rich_help_panel=GAME)]
DistributionText = Annotated[
    str | None,
    typer.Option(
        "--distribution",
        help="of private values: uniform(0,1), power(2), beta(2,5), lognormal(0,1,3) cut off at 3, integers(0,9), steps(0,1,3)",
        show_default="uniform(0,1)",
        rich_help_panel=GAME,
    ),
]
ValuesFrom = Annotated[
    Path | None,
    typer.Option(
        help="values, their cost and attendance as allpay estimate found them: its folder",
        show_default="none",
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
    typer.Option(
        help="the highest bid allowed",
        show_default="what the best rank is worth to the highest value",
        rich_help_panel=GAME,
    ),
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
CostPower = Annotated[
    float, typer.Option(help="the power p: a bid b that is paid costs its bidder b^p", rich_help_panel=GAME)
]
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
NoiseOfBids = Annotated[
    float | None,
    typer.Option(
        "--noise",
        help="how much people err, in the money of bids: 0.1 makes a bid that brings 0.1 less 1/e times as likely "
        "(logit-equilibrium)",
        show_default="0.1",
        rich_help_panel=LEARNING,
    ),
]
Level = Annotated[
    int | None,
    typer.Option(
        help="how far people think ahead: those of level 0 bid at random, others best-respond to the level below (level-k)",
        show_default="2",
        rich_help_panel=LEARNING,
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="at which distance from equilibrium a round counts as converged, and stops: 0.01 is a gain of 1 % of the top "
        "prize and of 5 % of what a bidder spends",
        show_default="0.01, and no stop",
        rich_help_panel=LEARNING,
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        help="how many designs are tried; with a grid or the active strategy, the most that may be",
        rich_help_panel=STUDY,
    ),
]
GOALS = (
    "what the design is chosen for: revenue, highest-bid, top-3, ranked-bids(1,0.5), threshold(0.4), entrants, welfare, "
    "ablest-wins, profit(2), sums as 0.7*revenue + 0.3*top-3, or module:function"
)
Objective = Annotated[str, typer.Option(help=GOALS, rich_help_panel=STUDY)]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help=f"{GOALS}; several give a Pareto front",
        show_default="revenue",
        rich_help_panel=STUDY,
    ),
]
Seed = Annotated[int, typer.Option(help="same seed, same result")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="folder for rounds, figure and summary; an existing folder of the same study is resumed",
        show_default="nothing is kept",
        rich_help_panel=STUDY,
    ),
]

Prizes = Annotated[
    int | None,
    typer.Option(
        "--prizes",
        help="how many ranks may carry weight",
        show_default="all but the last; all in a box",
        rich_help_panel=SPACE,
    ),
]
Box = Annotated[
    bool,
    typer.Option(
        "--box",
        help="with --rule payments: each rank pays a fraction of its own, from 0 to 1, in any order and of any sum",
        rich_help_panel=SPACE,
    ),
]
FirstAtMost = Annotated[
    str | None,
    typer.Option(
        help="the most that the first weight can be, as 60% or 0.6", show_default="none", rich_help_panel=SPACE
    ),
]
FirstAtLeast = Annotated[
    str | None,
    typer.Option(
        help="the least that the first weight can be, as 60% or 0.6", show_default="none", rich_help_panel=SPACE
    ),
]
LastAtLeast = Annotated[
    str | None,
    typer.Option(
        help="the least weight of the last rank that may carry any, as 5% or 0.05",
        show_default="none",
        rich_help_panel=SPACE,
    ),
]
AtLeast = Annotated[
    str | None,
    typer.Option(
        help="the least weight of each rank, from the first down, as 5%x5 or 0.2,0.1; more ranks may get some",
        show_default="none",
        rich_help_panel=SPACE,
    ),
]
Same = Annotated[
    list[str] | None,
    typer.Option(help="ranks that get the same, as 4-10", show_default="none", rich_help_panel=SPACE),
]
Choose = Annotated[
    list[str] | None,
    typer.Option(
        help="a number to choose with the weights, and its bounds: purse=0.5:2, reserve=0:0.5, fee=0:0.1, max-bid=0.2:1, "
        "head-start:2=0:0.3 for group 2",
        show_default="none",
        rich_help_panel=SPACE,
    ),
]
Money = Annotated[
    float | None,
    typer.Option(
        help="what all prizes come to in money, in which the answer is told too",
        show_default="none",
        rich_help_panel=SPACE,
    ),
]
RoundTo = Annotated[
    str | None,
    typer.Option(
        help="tell the best design in steps that can be announced, and what that costs: 250 with --money, or 5%",
        show_default="none",
        rich_help_panel=SPACE,
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
        help="sample: all designs are drawn before any is learned; active: after a first batch, designs are chosen where the "
        "best may lie",
        rich_help_panel=STUDY,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="with --strategy active: stop when the design recommended is expected to lose less than this part of the best, as "
        "1% or 0.01",
        show_default="use all samples",
        rich_help_panel=STUDY,
    ),
]
Method = Annotated[
    str,
    typer.Option(
        help="surrogate: bidders learn, a network is fitted and ascended; theory: the exact objective of the equilibrium is "
        "ascended",
        rich_help_panel=STUDY,
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        help="with --method theory: tell the designs that lose less than this part of the best, as 0.5%",
        show_default="0.5%",
        rich_help_panel=STUDY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="processes that learn side by side",
        show_default="1, which uses all cores; a core each for dqn and ppo",
        rich_help_panel=STUDY,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="address of a running Dask scheduler whose workers learn", show_default="none", rich_help_panel=STUDY
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="run code that is not allpay's own: a learner or a distribution that the file or the folder names",
        rich_help_panel=STUDY,
    ),
]
MadeUp = Annotated[
    int | None,
    typer.Option(
        "--contests",
        help="make up so many past contests, a row for each bidder, in the file --out (.csv, .tsv, .parquet); by several "
        "numbers, as --bidders 3,4,5, contests have these in turn, and bidders know it",
        show_default="none",
        rich_help_panel=STUDY,
    ),
]
WithValues = Annotated[
    bool, typer.Option("--with-values", help="with --contests: tell what bidders value, too", rich_help_panel=STUDY)
]
