"""Epsilon-greedy bidders under one payment rule (w, 1−w, 0): integer values and bids, explored first, then played greedily.

    python deep_mind_example.py --weights 0.8

A thin script on the library: `allpay simulate` has all of its options and more.
"""

import argparse
import os
import sys
from pathlib import Path

try:
    import numpy as np

    from allpay import (
        AllpayError,
        EpsilonGreedy,
        Game,
        Mechanism,
        Private,
        Setting,
        equilibrium,
        integers,
        learn,
        why_no_equilibrium,
    )
    from allpay.simplex import shown
except ModuleNotFoundError:  # not this Python's package: use the one that `make` has set up, if it is there
    python = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == python.parent.parent:
        sys.exit(
            "allpay is not installed for this Python: run `make setup` in the folder above, then this command again"
        )
    os.execv(python, [str(python), *sys.argv])


TAIL = 50_000
"""How many of the last auctions revenue is averaged over, where there are so many after exploration."""

SPREAD = 0.01
"""Where rounds converge and their revenues still vary by more than this part of the mean, it is not for noise."""


def easy_signal_setting(args: argparse.Namespace) -> tuple[EpsilonGreedy, Setting]:
    """The bidders and what they bid for: here the exploration, the number of auctions and the grids can be changed."""
    greedy = args.iterations - args.exploration
    bidders = EpsilonGreedy(
        iterations=args.iterations,
        exploration=args.exploration,
        halving=args.halving,
        tail=min(TAIL, max(greedy, 1)) if args.tail is None else args.tail,
    )
    if bidders.tail > greedy:
        raise AllpayError(f"tail must be at most the {greedy:,} auctions after exploration: got {bidders.tail:,}")
    if args.value_levels < 2:
        raise AllpayError(f"value-levels must be at least 2, for the values 0 and 1: got {args.value_levels}")
    setting = Setting(
        values=Private(integers(0, args.value_levels - 1), levels=args.value_levels),
        bid_levels=args.bid_levels,
        max_bid=args.bid_levels - 1 if args.max_bid is None else args.max_bid,
        overbidding=args.overbidding,
        cost_power=args.cost_power,
        ties=args.ties,
    )
    return bidders, setting


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=float, required=True, help="w of the payment rule (w, 1−w, 0)")
    parser.add_argument("--round", "--rounds", type=int, default=10, dest="rounds", help="independent rounds")
    parser.add_argument("--rule", default="payments", help="payments or prizes")
    parser.add_argument("--bidders", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=2_000_000, help="auctions in a round")
    parser.add_argument("--exploration", type=int, default=400_000, help="auctions that explore")
    parser.add_argument("--halving", type=int, default=10_000, help="auctions after which epsilon halves")
    parser.add_argument(
        "--tail",
        type=int,
        default=None,
        help=f"the last auctions, over which revenue is averaged; {TAIL}, or all after exploration if they are fewer",
    )
    parser.add_argument("--value-levels", type=int, default=10, help="values are 0, 1, … up to one less")
    parser.add_argument("--bid-levels", type=int, default=10, help="how many bids, from 0 to the highest")
    parser.add_argument(
        "--max-bid", type=float, default=None, help="the highest bid; one less than bid-levels if not given"
    )
    parser.add_argument("--overbidding", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--cost-power", type=float, default=1.0)
    parser.add_argument(
        "--ties",
        default="random",
        help="random, or seconds-pay: every loser who ties for the second place pays, as in the code behind the experiment",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    bidders, setting = easy_signal_setting(args)
    game = setting.game(Mechanism.from_weights(args.rule, args.weights, args.bidders))
    outcome = learn(game, bidders, args.rounds, args.seed)
    weights = game.mechanism.prizes if args.rule == "prizes" else game.mechanism.payments
    print(
        f"{args.rule} {shown(weights, 4)}, {game.bidders} bidders, values {grid(game.value_grid)}, "
        f"bids {grid(game.bid_grid)}{'' if args.overbidding else ' up to the own value'}\n"
    )
    print("round  revenue (last auctions)  of what was learned  exploitability  verdict")
    columns = (outcome.realised_revenue, outcome.revenue, outcome.exploitability, outcome.verdicts)
    for r, (realised, learned, gain, verdict) in enumerate(zip(*(c[0] for c in columns), strict=True), start=1):
        print(f"{r:5d}  {realised:23.4f}  {learned:19.4f}  {gain:14.4f}  {verdict}")
    mean = outcome.realised_revenue.mean()
    error = f"{np.std(outcome.realised_revenue, ddof=1) / np.sqrt(args.rounds):.4f}" if args.rounds > 1 else "–"
    print(f"\nrevenue {mean:.4f} ± {error} (mean of the last {bidders.tail:,} auctions, standard error over rounds)")
    print(by_theory(game))
    print(outcome.sentence)
    if outcome.converged.all() and outcome.revenue.std() > SPREAD * outcome.revenue.mean():
        print("Rounds end at different equilibria of the grid, with revenues further apart than chance would put them.")


def by_theory(game: Game) -> str:
    """What bidders with the same values pay in equilibrium where bids need not be on the grid."""
    exact = equilibrium(game)
    if exact is None:
        return f"equilibrium: none in closed form, since {why_no_equilibrium(game)}"
    return f"equilibrium {exact.revenue:.4f} (by theory, with the same values, and bids not only those of the grid)"


def grid(points: np.ndarray) -> str:
    """Equally spaced numbers, briefly."""
    return (
        ", ".join(f"{x:g}" for x in points) if len(points) < 5 else f"{points[0]:g}, {points[1]:g}, …, {points[-1]:g}"
    )


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except AllpayError as error:
        sys.exit(f"deep_mind_example.py: {error}")
    except KeyboardInterrupt:
        sys.exit("deep_mind_example.py: stopped")
