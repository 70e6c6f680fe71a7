"""Your own agents at an auction: three simple bidders in PettingZoo's loop.

python examples/pettingzoo_loop.py          (pip install 'allpay-auctions[pettingzoo]')
"""

import numpy as np

import allpay
from allpay.adapters.pettingzoo import AuctionEnv

ROUNDS = 2000

# Three bidders; the best bid wins 80 % of the prize, the second 20 %, and everybody pays its bid.
game = allpay.Game.from_weights("prizes", 0.8, bidders=3, bid_levels=21)
env = AuctionEnv(game, rounds=ROUNDS)
random = np.random.default_rng(0)


# An agent is anything that turns what it observes, its value as a part of the highest one, into the index of a bid.
def timid(value):
    return 0  # never bids anything, and wins what the others leave


def bold(value):
    return int(np.argmin(np.abs(game.bid_grid - value / 2)))  # half its value, or the nearest bid of the grid


def careless(value):
    return int(random.integers(game.bid_levels))  # any bid at all


agents = dict(zip(env.possible_agents, (timid, bold, careless), strict=True))
earned = dict.fromkeys(agents, 0.0)

seen, _ = env.reset(seed=0)
while env.agents:
    bids = {name: agents[name](seen[name].item()) for name in env.agents}
    seen, rewards, _, _, _ = env.step(bids)
    for name, reward in rewards.items():
        earned[name] += reward / ROUNDS

for name, agent in agents.items():
    print(f"{name}, {agent.__name__:8}  earns {earned[name]:+.3f} a round")
