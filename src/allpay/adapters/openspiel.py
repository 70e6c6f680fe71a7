"""Small games for OpenSpiel's solvers, and their solutions back as strategies that `payoffs.evaluate` takes.

A common value makes a normal form: one tensor of payoffs for each bidder. Private values make a game in extensive form: chance
draws the values, then bidders bid one after the other, each seeing nothing but its own value.

OpenSpiel is imported where it is used: `payoff_tensors` and `gambit` do without it.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array, Game, check_simple
from allpay.contest.payoffs import as_strategy
from allpay.errors import AllpayError

if TYPE_CHECKING:
    import pyspiel
    from open_spiel.python.policy import TabularPolicy

MOST_CELLS = 10_000_000
"""So many payoffs a normal form may have at most, over all bidders; each takes 8 bytes, here and in OpenSpiel."""

MOST_LEAVES = 200_000
"""So many ends a game tree may have at most; each takes about a kilobyte in OpenSpiel."""


def payoff_tensors(game: Game) -> Array:
    """`[bidders, bids, …, bids]` the expected utility of each bidder at every profile of bids, of a common value.

    Bidders who tie share their ranks equally. Solvers for normal forms that do without a game take it as it is.

    Raises:
        AllpayError: if there are several values, or the tensors would have more than 10,000,000 numbers.
    """
    check_simple(game, "a form for other solvers")
    n, levels = game.bidders, game.bid_levels
    if len(game.value_grid) > 1:
        plans = sum(math.log10(count) for count in game.allowed.tolist())
        raise AllpayError(
            f"private values have no small normal form: a bidder has about 10^{plans:.0f} plans, a bid for each of its "
            f"{len(game.value_grid)} values; use extensive_form, or a common value"
        )
    if math.log(n) + n * math.log(levels) > math.log(MOST_CELLS):
        raise AllpayError(
            f"a normal form must have at most {MOST_CELLS:,} payoffs: {n} bidders and {levels} bids make "
            f"{n} × {levels}^{n}; give fewer of either"
        )
    profiles = np.indices((levels,) * n)
    may = profiles < game.allowed[0]
    if not may.all():
        raise AllpayError(
            f"a normal form has one set of bids: give a max_bid of at most the value, {game.value_grid[0]:g}, "
            "instead of forbidding bids above it"
        )
    return _utilities(game, profiles.reshape(n, -1))[:, 0].reshape(profiles.shape)


def normal_form(game: Game) -> "pyspiel.TensorGame":
    """A game with a common value as OpenSpiel's tensor game; action k is bid k of the grid.

    Raises:
        AllpayError: as `payoff_tensors`.
    """
    return _pyspiel().create_tensor_game(list(payoff_tensors(game)))


def extensive_form(game: Game) -> "pyspiel.Game":
    """Any small game as OpenSpiel's game in extensive form, with an information state for each bidder and value.

    Action k is bid k of the grid, and chance outcome k value k. CFR, fictitious play and the like solve it; their time grows
    with the leaves, values^bidders × bids^bidders.

    Raises:
        AllpayError: if the tree would have more than 200,000 leaves.
    """
    check_simple(game, "a form for other solvers")
    return _pyspiel().load_efg_game(gambit(game))


def gambit(game: Game) -> str:
    """The text of `extensive_form`, in the format .efg, which Gambit reads too.

    Raises:
        AllpayError: if the tree would have more than 200,000 leaves.
    """
    check_simple(game, "a form for other solvers")
    n, values = game.bidders, len(game.value_grid)
    allowed = game.allowed.tolist()
    if n * math.log(sum(allowed)) > math.log(MOST_LEAVES):
        raise AllpayError(
            f"a game tree must have at most {MOST_LEAVES:,} leaves: {n} bidders with {values} values and {game.bid_levels} "
            f"bids make {sum(allowed)}^{n}; give fewer of either"
        )
    bids = [f'"{bid:g}"' for bid in game.bid_grid]
    labels = bids if len(set(bids)) == len(bids) else [f'"{k}"' for k in range(len(bids))]
    players = " ".join(f'"bidder {i}"' for i in range(n))
    draws = " ".join(f'"{v}" 1/{values}' for v in range(values))
    lines = [f'EFG 2 R "allpay" {{ {players} }}']
    numbers = itertools.count(1)

    def chance(drawn: tuple[int, ...]) -> None:
        if values > 1 and len(drawn) < n:
            lines.append(f'c "" {next(numbers)} "" {{ {draws} }} 0')
            for v in range(values):
                chance((*drawn, v))
        else:
            own = np.array(drawn or (0,) * n)
            profiles = np.array(list(itertools.product(*(range(allowed[v]) for v in own)))).T
            ends = iter(_utilities(game, profiles)[np.arange(n), own].T.tolist())
            bid(own, 0, ends)

    def bid(own: np.ndarray, i: int, ends: Iterator[list[float]]) -> None:
        if i == n:
            lines.append(f't "" {next(numbers)} "" {{ {" ".join(map(repr, next(ends)))} }}')
            return
        may = allowed[own[i]]
        lines.append(f'p "" {i + 1} {own[i] + 1} "value {game.value_grid[own[i]]:g}" {{ {" ".join(labels[:may])} }} 0')
        for _ in range(may):
            bid(own, i + 1, ends)

    chance(())
    return "\n".join(lines) + "\n"


def _pyspiel() -> Any:
    try:
        import pyspiel
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: install OpenSpiel with pip install 'allpay[openspiel]'") from None
    return pyspiel


def _utilities(game: Game, profiles: np.ndarray) -> Array:
    """`[bidders, values, profiles]` expected utility of bidders with each value at profiles of bids `[bidders, profiles]`."""
    a, p = np.asarray(game.mechanism.prizes), np.asarray(game.mechanism.payments)
    money = game.value_grid[:, None, None] * a[:, None] - p[:, None] * game.costs  # [values, ranks, bids]
    sums = np.cumsum(game.utility(money), axis=1)
    sums = np.concatenate([np.zeros_like(sums[:, :1]), sums], axis=1)
    out = np.empty((game.bidders, len(game.value_grid), profiles.shape[1]))
    for i, own in enumerate(profiles):
        above, tied = np.sum(profiles > own, axis=0), np.sum(profiles == own, axis=0)
        out[i] = (sums[:, above + tied, own] - sums[:, above, own]) / tied
    return out


def strategy_of_mixtures(game: Game, mixtures: Sequence[ArrayLike]) -> Array:
    """`[bidders, 1, bids]` what solvers of normal forms give, a mixture of bids `[bids]` for each bidder, as a strategy.

    Numbers that rounding left below 0, or sums that it left off 1, by up to 1e-6, are put right.

    Raises:
        AllpayError: if there is not a mixture for each bidder, or one is none.
    """
    given = [np.ravel(np.asarray(mixture, float)) for mixture in mixtures]
    lengths = [len(mixture) for mixture in given]
    if set(lengths) != {game.bid_levels}:
        raise AllpayError(
            f"mixtures must be as long as there are bids, {game.bid_levels}: got lengths {', '.join(map(str, lengths))}"
        )
    return as_strategy(game, _put_right(np.array(given))[:, None, :])


def strategy_of_policy(game: Game, form: "pyspiel.Game", policy: Any) -> Array:
    """`[bidders, values, bids]` the strategy that a policy of OpenSpiel is.

    Args:
        game: the game.
        form: OpenSpiel's game that the policy is for: of `extensive_form`, `normal_form`, or the latter turn-based.
        policy: anything with OpenSpiel's method `action_probabilities(state)`.

    Raises:
        AllpayError: if the form is of another game.
    """
    strategy = np.zeros((game.bidders, len(game.value_grid), game.bid_levels))
    for state, i, v in _states(game, form):
        chances = (
            policy.action_probabilities(state, i)
            if state.is_simultaneous_node()
            else policy.action_probabilities(state)
        )
        for bid, chance in chances.items():
            strategy[i, v, bid] = chance
    return as_strategy(game, _put_right(strategy))


def policy_of_strategy(game: Game, form: "pyspiel.Game", strategy: ArrayLike) -> "TabularPolicy":
    """A strategy `[1 or bidders, values, bids]` as OpenSpiel's tabular policy of a form of the game, see `strategy_of_policy`.

    Raises:
        AllpayError: if it is no strategy of the game, or the form is of another game.
    """
    _pyspiel()
    from open_spiel.python.policy import TabularPolicy

    table = as_strategy(game, strategy)
    policy = TabularPolicy(form)
    for state, i, v in _states(game, form):
        row = policy.policy_for_key(state.information_state_string(i))
        row[:] = table[i % len(table), v, : len(row)]
    return policy


def _states(game: Game, form: "pyspiel.Game") -> Iterator[tuple[Any, int, int]]:
    """A state for each bidder and value at which that bidder bids, knowing that value: (state, bidder, value)."""
    bids, players = form.num_distinct_actions(), form.num_players()
    values = max(form.max_chance_outcomes(), 1)
    if (players, values, bids) != (game.bidders, len(game.value_grid), int(game.allowed.max())):
        raise AllpayError(
            f"the OpenSpiel game must be a form of this one: it has {players} players, {values} values and {bids} bids, "
            f"this has {game.bidders}, {len(game.value_grid)} and {game.bid_levels}; make it by extensive_form or normal_form"
        )
    for v in range(values):
        state = form.new_initial_state()
        while state.is_chance_node():
            state.apply_action(v)
        for i in range(players):
            yield state, i, v
            if not state.is_simultaneous_node():
                state.apply_action(0)


def _put_right(table: Array) -> Array:
    """Probabilities `[…, bids]` with rounding of up to 1e-6 taken out; what is further off stays, and is refused later."""
    table = np.where((table < 0) & (table > -1e-6), 0.0, table)
    sums = table.sum(axis=-1, keepdims=True)
    return np.where(np.abs(sums - 1) < 1e-6, table / sums, table)
