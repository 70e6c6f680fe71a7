"""Epsilon-greedy auctions a second: the library, plain Python, a JAX scan; and what the processor would allow.

Other work on the machine slows the wall clock but hardly the CPU time: both are printed, and ratios are of figures of one run.
"""

import os
import random
import time
from collections.abc import Callable

import numpy as np
from numba import njit, uint64

from allpay.contest.auction import fill, high_index, low_index, stream
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Private, integers
from allpay.learners import EpsilonGreedy, run_seeds

DESIGNS, ROUNDS = 4, 10
VALUES = BIDS = 10
BIDDERS = 3


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def games(count: int) -> list[Game]:
    values = Private(integers(0, 9), levels=VALUES)
    return [
        Game(Mechanism.from_weights("payments", float(w), BIDDERS), values, bid_levels=BIDS, overbidding=False)
        for w in np.linspace(0.5, 1.0, count)
    ]


def plain_python(game: Game, auctions: int) -> None:
    """The same rules as a Python programmer would write them; schedule in the proportions of the library's default."""
    exploration, halving = auctions // 5, max(1, auctions // 200)
    prizes, payments = game.mechanism.prizes, game.mechanism.payments
    ranks, players = range(BIDDERS), range(BIDDERS)
    estimate = [[[0.0] * BIDS for _ in range(VALUES)] for _ in players]
    count = [[[0] * BIDS for _ in range(VALUES)] for _ in players]
    revenue, epsilon = 0.0, 1.0
    for t in range(auctions):
        if t >= exploration and (t - exploration) % halving == 0:
            epsilon /= 2
        if t == exploration:
            count = [[[min(c, 1) for c in row] for row in table] for table in count]
        values, bids = [], []
        for i in players:
            value = int(random.random() * VALUES)
            if random.random() < epsilon:
                bid = int(random.random() * (value + 1))
            else:
                row = estimate[i][value][: value + 1]
                bid = row.index(max(row))
            values.append(value)
            bids.append(bid)
        order = sorted(ranks, key=lambda i: (bids[i], random.random()), reverse=True)
        for rank, i in enumerate(order):
            value, bid = values[i], bids[i]
            paid = payments[rank] * bid
            revenue += paid
            count[i][value][bid] += 1
            estimate[i][value][bid] += (value * prizes[rank] - paid - estimate[i][value][bid]) / count[i][value][bid]


def jax_scan(game: Game, auctions: int, runs: int) -> tuple[float, float]:
    """The same loop as one `lax.scan`, mapped over runs, with a warm compilation; random words are drawn beforehand."""
    import jax
    import jax.numpy as jnp

    prizes, payments = jnp.asarray(game.mechanism.prizes), jnp.asarray(game.mechanism.payments)
    players, bid_index = jnp.arange(BIDDERS), jnp.arange(BIDS)
    exploration, halving = auctions // 5, auctions // 200
    epsilons = jnp.where(
        jnp.arange(auctions) < exploration, 1.0, 0.5 ** (1 + (jnp.arange(auctions) - exploration) // halving)
    )

    def step(tables, inputs):
        estimate, count = tables
        u, epsilon = inputs
        value = (u[0] * VALUES).astype(int)
        row = jnp.where(bid_index <= value[:, None], estimate[players, value], -jnp.inf)
        explored = (u[2] * (value + 1)).astype(int)
        bid = jnp.where(u[1] < epsilon, explored, jnp.argmax(row, axis=1))
        key = bid + u[3]
        rank = jnp.sum(key[None, :] > key[:, None], axis=1)
        paid = payments[rank] * bid
        tried = count[players, value, bid] + 1
        old = estimate[players, value, bid]
        new = old + (value * prizes[rank] - paid - old) / tried
        return (estimate.at[players, value, bid].set(new), count.at[players, value, bid].set(tried)), paid.sum()

    @jax.jit
    @jax.vmap
    def run(key):
        u = jax.random.uniform(key, (auctions, 4, BIDDERS))
        zeros = jnp.zeros((BIDDERS, VALUES, BIDS))
        return jax.lax.scan(step, (zeros, zeros), (u, epsilons))[1].mean()

    keys = jax.random.split(jax.random.key(0), runs)
    run(keys).block_until_ready()
    return timed(lambda: run(keys).block_until_ready())


@njit(nogil=True, error_model="numpy")
def least(state, gap, auctions, estimate, count):
    """What no learner of sample averages can do without: a word for each bidder, made many at once, and the update of one
    entry."""
    words = np.empty((100, BIDDERS), np.uint64)
    for _ in range(auctions // len(words)):
        fill(words.reshape(-1), state, gap)
        state += gap * uint64(words.size)
        for row in words:
            for i in range(BIDDERS):
                v, b = high_index(row[i], VALUES), low_index(row[i], BIDS)
                count[i, v, b] += 1.0
                estimate[i, v, b] += (v - estimate[i, v, b]) / count[i, v, b]


@njit(nogil=True)
def chain(x, length):
    """Each link waits for the last: a shift (1 cycle), an exclusive or (1), a multiplication (3). It times a cycle."""
    for _ in range(length):
        x = (x ^ (x >> uint64(29))) * uint64(6364136223846793005)
    return x


def main() -> None:
    learner = EpsilonGreedy()
    designs = games(DESIGNS)
    learner.learn(designs[:1], run_seeds(1, 1, 1))  # compile
    wall, cpu = timed(lambda: learner.learn(designs, run_seeds(0, DESIGNS, ROUNDS)))
    auctions = DESIGNS * ROUNDS * learner.iterations
    cores = os.cpu_count() or 1

    plain_auctions = 60_000
    plain_wall, plain_cpu = timed(lambda: plain_python(designs[2], plain_auctions))

    scan_auctions, scan_runs = 20_000, 20
    scan_wall, scan_cpu = jax_scan(designs[2], scan_auctions, scan_runs)

    tables = np.zeros((2, BIDDERS, VALUES, BIDS))
    least(*stream(0), 100, *tables)
    chain(np.uint64(1), 10)
    least_cpu = timed(lambda: least(*stream(0), 10_000_000, *tables))[1] / 10_000_000
    cycle = timed(lambda: chain(np.uint64(1), 50_000_000))[1] / 50_000_000 / 5

    per_auction = cpu / auctions
    rows = [
        (f"allpay, {cores} cores", auctions / wall / 1e6, 1e-6 / per_auction),
        ("plain Python, 1 core", plain_auctions / plain_wall / 1e6, plain_auctions / plain_cpu / 1e6),
        (
            f"JAX scan, {scan_runs} runs at once",
            scan_auctions * scan_runs / scan_wall / 1e6,
            scan_auctions * scan_runs / scan_cpu / 1e6,
        ),
    ]
    print(f"{auctions:,} auctions: {DESIGNS} designs × {ROUNDS} rounds, n = {BIDDERS}, {VALUES} × {BIDS} tables\n")
    print(f"{'million auctions a second':32}{'wall clock':>12}{'per core':>12}")
    for name, by_wall, by_cpu in rows:
        print(f"{name:32}{by_wall:12.3f}{by_cpu:12.3f}")
    print()
    print(f"{'allpay ÷ plain Python':32}{rows[0][1] / rows[1][1]:12.0f}{rows[0][2] / rows[1][2]:12.0f}")
    print(f"{'allpay ÷ JAX scan':32}{rows[0][1] / rows[2][1]:12.1f}{rows[0][2] / rows[2][2]:12.1f}")
    print(f"\nUndisturbed, {cores} cores would do {cores * rows[0][2]:.0f} million a second, ", end="")
    print(f"{cores * rows[0][2] / rows[1][2]:.0f} times plain Python on one; this run had {cpu / wall:.1f} cores.")
    print(
        f"An auction takes {per_auction / cycle:.0f} cycles of {cycle * 1e9:.2f} ns. Bound: {BIDDERS} random words and ",
        end="",
    )
    print(
        f"{BIDDERS} updates of a sample average take {least_cpu / cycle:.0f}: {per_auction / least_cpu:.1f} times less."
    )


if __name__ == "__main__":
    main()
