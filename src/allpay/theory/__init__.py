"""Theory: the symmetric equilibria of a game on continuous bids, and the gradients of what they bring in a design's weights.

The economics is in `symmetric`, `costs` and `designs`, the numerics beneath in `quantiles` and `ranks`. Exact payoffs of a
game on its bid grid are in `allpay.payoffs`.
"""

from allpay.theory.beside import equilibrium_or_reason, failure
from allpay.theory.designs import OBJECTIVES, design_objective, value_and_gradient
from allpay.theory.grid import on_grid
from allpay.theory.ranks import rank_probabilities
from allpay.theory.symmetric import QUANTILES, Equilibrium, equilibrium, two_bidder_all_pay, why_no_equilibrium

__all__ = [
    "OBJECTIVES",
    "QUANTILES",
    "Equilibrium",
    "design_objective",
    "equilibrium",
    "equilibrium_or_reason",
    "failure",
    "on_grid",
    "rank_probabilities",
    "two_bidder_all_pay",
    "value_and_gradient",
    "why_no_equilibrium",
]
