"""OpenSpiel's solvers at work on auctions, and what allpay says of their solutions.

python examples/openspiel_solve.py          (pip install 'allpay-auctions[openspiel]')
"""

import pyspiel
from open_spiel.python.algorithms.projected_replicator_dynamics import projected_replicator_dynamics

import allpay
from allpay.adapters import openspiel

# A common value: the game is one tensor of payoffs for each bidder, and solvers of normal forms take it as it is.
game = allpay.Game.from_weights("prizes", 0.8, bidders=3, values="common", bid_levels=11)
mixtures = projected_replicator_dynamics(openspiel.payoff_tensors(game), prd_iterations=20_000, prd_dt=0.01)
found = allpay.evaluate(game, openspiel.strategy_of_mixtures(game, mixtures))
print(f"common value:   revenue {found.revenue:.3f}, a bidder could gain {found.exploitability.max():.4f}")

# Private values: the game is a tree, in which chance draws the values. Counterfactual regret minimisation solves it.
game = allpay.Game.from_weights("prizes", 0.8, bidders=3, values=allpay.Private(levels=3), bid_levels=6)
tree = openspiel.extensive_form(game)
solver = pyspiel.CFRPlusSolver(tree)
for _ in range(150):
    solver.evaluate_and_update_policy()
strategy = openspiel.strategy_of_policy(game, tree, solver.average_policy())
found = allpay.evaluate(game, strategy)
print(f"private values: revenue {found.revenue:.3f}, a bidder could gain {found.exploitability.max():.4f}")
print("bids on average, by value: " + ", ".join(f"{bid:.2f}" for bid in strategy.mean(axis=0) @ game.bid_grid))
