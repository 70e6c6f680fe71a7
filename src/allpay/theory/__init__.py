"""Theory: the equilibria of a game on continuous bids, and the gradients of what they bring in a design's weights.

`contests` finds the formula that holds for a game. The economics is in `symmetric`, `costs` and `designs` for bidders who are
alike and all there, and in `entry`, `unlike`, `known`, `tullock` and `tournament` for others; the numerics beneath in
`quantiles` and `ranks`. Exact payoffs of a game on its bid grid are in `allpay.contest.payoffs`.
"""

from allpay.theory.beside import equilibrium_or_reason, failure, value_or_reason
from allpay.theory.contests import equilibrium, why_no_equilibrium
from allpay.theory.designs import OBJECTIVES, design_objective, value_and_gradient
from allpay.theory.grid import on_grid
from allpay.theory.measures import InTheory
from allpay.theory.ranks import rank_probabilities
from allpay.theory.symmetric import QUANTILES, Equilibrium, Play, two_bidder_all_pay

__all__ = [
    "OBJECTIVES",
    "QUANTILES",
    "Equilibrium",
    "InTheory",
    "Play",
    "design_objective",
    "equilibrium",
    "equilibrium_or_reason",
    "failure",
    "on_grid",
    "rank_probabilities",
    "two_bidder_all_pay",
    "value_and_gradient",
    "value_or_reason",
    "why_no_equilibrium",
]
