"""Small games for OpenSpiel's solvers, and their solutions back as strategies that `payoffs.evaluate` takes.

Values that all know make a normal form: one tensor of payoffs for each bidder. Private values make a game in extensive form:
chance draws the values, then bidders bid one after the other, each seeing nothing but its own value.

Payoffs are expected ones, exact: over ties and luck, and over who else turns up, as a bidder who is there expects it. So no
part of a game needs nodes of its own, and what solvers gain by another strategy is what `payoffs.exploitability` says.

OpenSpiel is imported where it is used: `payoff_tensors` and `gambit` do without it.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array, Game, check_expected_utility, check_game
from allpay.contest.payoffs import as_strategy, by_bidder, profile_payoffs
from allpay.errors import AllpayError
from allpay.versions import to_install

if TYPE_CHECKING:
    import pyspiel
    from open_spiel.python.policy import TabularPolicy

MOST_CELLS = 10_000_000
"""So many payoffs a normal form may have at most, over all bidders; each takes 8 bytes, here and in OpenSpiel."""

MOST_LEAVES = 200_000
"""So many ends a game tree may have at most; each takes about a kilobyte in OpenSpiel."""


def payoff_tensors(game: Game) -> Array:
    """`[bidders, bids, …, bids]` the expected utility of each bidder at every profile of bids, where all values are known.

    The axis of a bidder's bids is as long as it may bid; those of a group stand beside each other. Solvers for normal forms
    that do without a game take it as it is.

    Raises:
        AllpayError: if a bidder has several values, or the tensors would have more than 10,000,000 numbers.
    """
    check_game(game)
    check_expected_utility("OpenSpiel", game)
    kinds, n = _kinds(game), game.bidders
    if any(kind.values > 1 for kind in kinds):
        plans = sum(math.log10(count) for count in max(kinds, key=lambda kind: kind.values).allowed)
        raise AllpayError(
            f"private values have no small normal form: a bidder has about 10^{plans:.0f} plans, a bid for each of its "
            f"{max(kind.values for kind in kinds)} values; use extensive_form, or a common value"
        )
    levels = [kind.allowed[0] for kind in kinds]
    most = max(levels)
    if math.log(n) + n * math.log(most) > math.log(MOST_CELLS):
        raise AllpayError(
            f"a normal form must have at most {MOST_CELLS:,} payoffs: {n} bidders and {most} bids make "
            f"{n} × {most}^{n}; give fewer of either"
        )
    known = profile_payoffs(game, most)[:, 0]
    return np.ascontiguousarray(known[(slice(None), *(slice(count) for count in levels))])


def normal_form(game: Game) -> "pyspiel.TensorGame":
    """A game whose values are all known as OpenSpiel's tensor game; action k is bid k of the grid.

    Raises:
        AllpayError: as `payoff_tensors`.
    """
    return _pyspiel().create_tensor_game(list(payoff_tensors(game)))


def extensive_form(game: Game) -> "pyspiel.Game":
    """Any small game as OpenSpiel's game in extensive form, with an information state for each bidder and value.

    Action k is bid k of the grid, and outcome k of a bidder's chance node its value k; one with a single value has no such
    node. CFR, fictitious play and the like solve it; their time grows with the leaves, values^bidders × bids^bidders.

    Raises:
        AllpayError: if the tree would have more than 200,000 leaves.
    """
    return _pyspiel().load_efg_game(gambit(game))


def gambit(game: Game) -> str:
    """The text of `extensive_form`, in the format .efg, which Gambit reads too.

    Raises:
        AllpayError: if the tree would have more than 200,000 leaves.
    """
    check_game(game)
    check_expected_utility("OpenSpiel", game)
    kinds, n = _kinds(game), game.bidders
    if math.fsum(math.log(sum(kind.allowed)) for kind in kinds) > math.log(MOST_LEAVES):
        raise AllpayError(
            f"a game tree must have at most {MOST_LEAVES:,} leaves: {n} bidders with {game.value_levels} values and "
            f"{game.bid_levels} bids make {_product(sum(kind.allowed) for kind in kinds)}; give fewer of either"
        )
    worth = profile_payoffs(game, max(max(kind.allowed) for kind in kinds))
    bids = [f'"{bid:g}"' for bid in game.bid_grid]
    labels = bids if len(set(bids)) == len(bids) else [f'"{k}"' for k in range(len(bids))]
    players = " ".join(f'"bidder {i}"' for i in range(n))
    lines = [f'EFG 2 R "allpay" {{ {players} }}']
    numbers = itertools.count(1)

    def chance(drawn: tuple[int, ...]) -> None:
        if len(drawn) == n:
            ends = [worth[i, v * kinds[i].repeats] for i, v in enumerate(drawn)]
            bid(drawn, (), ends)
            return
        values = kinds[len(drawn)].values
        if values == 1:
            chance((*drawn, 0))
            return
        draws = " ".join(f'"{v}" 1/{values}' for v in range(values))
        lines.append(f'c "" {next(numbers)} "" {{ {draws} }} 0')
        for v in range(values):
            chance((*drawn, v))

    def bid(drawn: tuple[int, ...], made: tuple[int, ...], ends: list[Array]) -> None:
        i = len(made)
        if i == n:
            lines.append(f't "" {next(numbers)} "" {{ {" ".join(repr(float(end[made])) for end in ends)} }}')
            return
        v = drawn[i]
        may = kinds[i].allowed[v]
        lines.append(f'p "" {i + 1} {v + 1} "value {kinds[i].grid[v]:g}" {{ {" ".join(labels[:may])} }} 0')
        for b in range(may):
            bid(drawn, (*made, b), ends)

    chance(())
    return "\n".join(lines) + "\n"


class _Kind(NamedTuple):
    """What a bidder can be: its different values, how often each stands on the grid of its group, and how many bids each of
    them allows."""

    grid: list[float]
    repeats: int
    allowed: list[int]

    @property
    def values(self) -> int:
        return len(self.grid)


def _kinds(game: Game) -> list[_Kind]:
    """What each bidder can be."""
    kinds = []
    for (bidder, count), grid, limits in zip(game.groups, game.value_grids, game.limits, strict=True):
        repeats = game.value_levels // levels_of(bidder.values)
        kinds += [_Kind(grid[::repeats].tolist(), repeats, limits[::repeats].tolist())] * count
    return kinds


def _product(factors: Iterable[int]) -> str:
    """A product in words, equal factors as powers."""
    counted = Counter(factors)
    return " × ".join(f"{factor}^{power}" if power > 1 else str(factor) for factor, power in counted.items())


def _pyspiel() -> Any:
    try:
        import pyspiel
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: install OpenSpiel {to_install('openspiel')}") from None
    return pyspiel


def strategy_of_mixtures(game: Game, mixtures: Sequence[ArrayLike]) -> Array:
    """`[bidders, values, bids]` what solvers of normal forms give, a mixture of its bids for each bidder, as a strategy.

    Numbers that rounding left below 0, or sums that it left off 1, by up to 1e-6, are put right.

    Raises:
        AllpayError: if there is not a mixture for each bidder, or one is none.
    """
    given, kinds = [np.ravel(np.asarray(mixture, float)) for mixture in mixtures], _kinds(game)
    lengths = [len(mixture) for mixture in given]
    if len(given) != len(kinds):
        raise AllpayError(f"there must be a mixture for each of {len(kinds)} bidders: got {len(given)}")
    if lengths != [kind.allowed[0] for kind in kinds]:
        raise AllpayError(
            "mixtures must be as long as there are bids, "
            f"{', '.join(str(kind.allowed[0]) for kind in kinds)}: got lengths {', '.join(map(str, lengths))}"
        )
    strategy = np.zeros((len(given), game.value_levels, game.bid_levels))
    for row, mixture in zip(strategy, given, strict=True):
        row[:, : len(mixture)] = _put_right(mixture)
    return as_strategy(game, strategy)


def strategy_of_policy(game: Game, form: "pyspiel.Game", policy: Any) -> Array:
    """`[bidders, values, bids]` the strategy that a policy of OpenSpiel is.

    Args:
        game: the game.
        form: OpenSpiel's game that the policy is for: of `extensive_form`, `normal_form`, or the latter turn-based.
        policy: anything with OpenSpiel's method `action_probabilities(state)`.

    Raises:
        AllpayError: if the form is of another game.
    """
    strategy = np.zeros((game.bidders, game.value_levels, game.bid_levels))
    for state, i, rows in _states(game, form):
        chances = (
            policy.action_probabilities(state, i)
            if state.is_simultaneous_node()
            else policy.action_probabilities(state)
        )
        for bid, chance in chances.items():
            strategy[i, rows, bid] = chance
    return as_strategy(game, _put_right(strategy))


def policy_of_strategy(game: Game, form: "pyspiel.Game", strategy: ArrayLike) -> "TabularPolicy":
    """A strategy `[groups or bidders, values, bids]` as OpenSpiel's tabular policy of a form of the game, see
    `strategy_of_policy`. Where the grid has a value of a bidder several times, its mean bids there are meant.

    Raises:
        AllpayError: if it is no strategy of the game, or the form is of another game.
    """
    _pyspiel()
    from open_spiel.python.policy import TabularPolicy

    table = as_strategy(game, strategy)
    which = np.arange(game.bidders) if by_bidder(game, table) else np.repeat(np.arange(len(table)), game.counts)
    policy = TabularPolicy(form)
    for state, i, rows in _states(game, form):
        row = policy.policy_for_key(state.information_state_string(i))
        row[:] = table[which[i], rows, : len(row)].mean(axis=0)
    return policy


def _states(game: Game, form: "pyspiel.Game") -> Iterator[tuple[Any, int, slice]]:
    """A state for each bidder and value at which that bidder bids, knowing that value: (state, bidder, rows of the grid)."""
    kinds = _kinds(game)
    values = max(kind.values for kind in kinds)
    bids = max(max(kind.allowed) for kind in kinds)
    found = (form.num_players(), max(form.max_chance_outcomes(), 1), form.num_distinct_actions())
    if found != (game.bidders, values, bids):
        raise AllpayError(
            f"the OpenSpiel game must be a form of this one: it has {found[0]} players, {found[1]} values and {found[2]} bids, "
            f"this has {game.bidders}, {values} and {bids}; make it by extensive_form or normal_form"
        )
    for v in range(values):
        state = form.new_initial_state()
        for kind in kinds:
            if kind.values > 1:
                state.apply_action(min(v, kind.values - 1))
        for i, kind in enumerate(kinds):
            if v < kind.values:
                yield state, i, slice(v * kind.repeats, (v + 1) * kind.repeats)
            if not state.is_simultaneous_node():
                state.apply_action(0)


def _put_right(table: Array) -> Array:
    """Probabilities `[…, bids]` with rounding of up to 1e-6 taken out; what is further off stays, and is refused later."""
    table = np.where((table < 0) & (table > -1e-6), 0.0, table)
    sums = table.sum(axis=-1, keepdims=True)
    return np.where(np.abs(sums - 1) < 1e-6, table / sums, table)
