"""The figure of one equilibrium: what bidders bid, and how often."""

from pathlib import Path

import numpy as np

from allpay.errors import AllpayError
from allpay.game import Common, Game
from allpay.theory import Equilibrium


def draw_equilibrium(game: Game, equilibrium: Equilibrium, path: Path) -> Path:
    """Draw the bid function (or, for common values, the distribution of bids) and the density of bids.

    Args:
        game: the game.
        equilibrium: its equilibrium.
        path: the file; its ending says which format.

    Raises:
        AllpayError: if the format is unknown or the file cannot be written.
    """
    from matplotlib.figure import Figure

    q = np.linspace(0.0, 1.0, 2001)
    bid = equilibrium.bid_at(q)
    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    if isinstance(game.values, Common):
        left.plot(bid, q, color="black")
        left.set(
            xlabel="bid b", ylabel="probability of a bid of at most b", ylim=(0, 1.02), title="Distribution of bids"
        )
    else:
        left.plot(game.values.distribution.quantile(q), bid, color="black")
        left.set(xlabel="value v", ylabel="bid b(v)", title="Bid function")
        left.set_ylim(bottom=0)
    left.set_xlim(left=0)
    # The density is dq/db: the share of bids between neighbouring quantiles, spread over the distance between them.
    distance = np.diff(bid)
    apart = distance > 1e-9 * max(bid[-1], 1e-300)
    density = np.diff(q)[apart] / distance[apart]
    right.plot((bid[1:] + bid[:-1])[apart] / 2, density, color="black")
    right.set(xlabel="bid b", ylabel="density of bids", title="Density of bids")
    # A density that runs off to infinity at the lowest or highest bid is cut where its bulk has been shown.
    top = 1.3 * float(np.quantile(density, 0.8)) if density.size else 1.0
    right.set_ylim(0, min(top, 1.05 * float(density.max())) if density.size else top)
    right.set_xlim(left=0)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    if not path.suffix:
        path = path.with_suffix(".png")
    try:
        metadata = {"Software": None} if path.suffix == ".png" else None
        figure.savefig(path, dpi=200, metadata=metadata)
    except ValueError as error:
        raise AllpayError(f"cannot draw into {path}: {error}") from None
    except OSError as error:
        raise AllpayError(f"cannot write {path}: {error.strerror}; choose another file") from None
    return path
