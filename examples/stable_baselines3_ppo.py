"""Somebody else's PPO, from Stable-Baselines3, as one bidder among rivals who play the equilibrium of theory.

    python examples/stable_baselines3_ppo.py    (pip install 'allpay-auctions[gymnasium]' stable-baselines3; some ten seconds)

What the best possible bidder would earn against these rivals is known exactly, so we can say how good PPO has become.
"""

import sys

import torch
from stable_baselines3 import PPO

import allpay
from allpay.adapters.stable_baselines3 import BidderVecEnv

torch.set_num_threads(1)  # networks this small are slower on several threads

# Three bidders with private values, uniform on [0, 1]; the best bid wins 80 % of the prize, the second 20 %, all pay.
game = allpay.Game.from_weights("prizes", 0.8, bidders=3, bid_levels=31)
env = BidderVecEnv(game, rivals="equilibrium", auctions=4096)

model = PPO(
    "MlpPolicy",
    env,
    n_steps=1,  # an auction is an episode of one step,
    gamma=0.0,  # so there is no future to discount
    gae_lambda=1.0,
    batch_size=1024,
    n_epochs=6,
    learning_rate=lambda left: 0.01 * left,  # falls to 0
    ent_coef=0.02,  # without it PPO settles on the first bids that are not bad
    seed=int(sys.argv[1]) if len(sys.argv) > 1 else 0,
    device="cpu",
)
model.learn(200_000)

bids, _ = model.predict(env.observations, deterministic=True)  # what it bids at each value
earned, possible = env.payoff_of(bids), env.best_response_payoff
print(
    f"PPO earns {earned:.4f} an auction, the best response {possible:.4f}: {earned / possible:.1%} of what can be had"
)
