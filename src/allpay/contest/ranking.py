"""What rank a bidder can expect against rivals of several groups: ties, luck and absence, exactly or by quadrature.

Given a draw of its own, a bidder beats each rival independently: with its place u in the tie-break, a rival who bids less with
probability L and at most as much with H is beaten with probability L + u(H − L); with its sum t of score and luck, with the
chance that the rival's sum is below t. Rivals of one group are beaten alike, so the number of rivals above is a sum of
binomials, counted group by group up to the last rank that matters. What is left is an integral over the draw. No tensor over
bidders' bids, and no sampling. Numba kernels on arrays; what they mean is said in `payoffs`.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allpay.compiled import compiled

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

NODES = np.array([1, 2, 3, 4, 5, 6, 8])
"""How many Gauss–Legendre nodes each rule has on a stretch of a tie: few where the tie is small."""

WIDEST = np.array([1e-6, 3e-3, 0.05, 0.22, 0.55, 1.05, 2.5])
"""Up to which (rivals who tie) each rule is used, see `stretches`."""

MOST_WAYS = 1e100
"""Of more choices of rivals than this, what underflows need not be next to nothing."""

NEGLIGIBLE = 1e-150
"""Chances below this are 0 where many are multiplied."""

UNDERFLOW = 1e-250
"""Where the chance that nobody is above is smaller than this, binomials go through logarithms."""


class Ranking(NamedTuple):
    """What rank chances need to know of a game.

    Shapes: counts, kinds and presence `[groups]`, how many bidders each has, which row of the tables below is theirs, and with
    what chance one of them is there; rules and rule_weights `[7, 8]`, the quadratures of `gauss_rules` on [0, 1]; lower and
    upper `[own kind, rival's kind, bids]`, how many bids of the rival score less than an own bid, and at most as much; floors
    `[kinds]`, the bid whose score is −∞, or −1; out is 1 where the first bid is to stay out; lucky is 1 where sums decide, and
    then below `[kinds, bids, sums]` and density `[kinds, sums, bids]` are those of `success.Sums`; seconds is 1 where every
    loser who ties for second pays as second.
    """

    counts: Whole
    kinds: Whole
    presence: Array
    rules: Array
    rule_weights: Array
    lower: Whole
    upper: Whole
    floors: Whole
    out: int
    lucky: int
    below: Array
    density: Array
    seconds: int


@cache
def gauss_rules() -> tuple[Array, Array]:
    """Nodes and weights on [0, 1], `[7, 8]`: a row for each number in `NODES`."""
    nodes, weights = np.zeros((len(NODES), NODES[-1])), np.zeros((len(NODES), NODES[-1]))
    for row, count in enumerate(NODES):
        x, w = np.polynomial.legendre.leggauss(count)
        nodes[row, :count], weights[row, :count] = (x + 1) / 2, w / 2
    return nodes, weights


@compiled
def used_ranks(coefficients):  # type: ignore[no-untyped-def]
    """How many ranks, from the first, differ from the last in any row of coefficients `[rows, n]`."""
    n = coefficients.shape[1]
    used = 0
    for g in range(coefficients.shape[0]):
        k = n
        while k > used and coefficients[g, k - 1] == coefficients[g, n - 1]:
            k -= 1
        used = max(used, k)
    return used


@compiled
def _binomial(m, q, top, out):  # type: ignore[no-untyped-def]
    """Fill out[:top] with the chance that k of m rivals are above, each being beaten with probability q."""
    if q >= 1.0:
        out[:top] = 0.0
        out[0] = 1.0
        return
    if q <= 0.0:
        out[:top] = 0.0
        if m < top:
            out[m] = 1.0
        return
    first = q**m
    if first > UNDERFLOW:
        ratio = (1.0 - q) / q
        for k in range(top):
            out[k] = first
            first *= ratio * (m - k) / (k + 1.0)  # 0 from k = m on
    else:
        log_q, log_rest, whole = math.log(q), math.log1p(-q), math.lgamma(m + 1.0)
        for k in range(top):
            if k > m:
                out[k] = 0.0
            else:
                ways = whole - math.lgamma(k + 1.0) - math.lgamma(m - k + 1.0)
                out[k] = math.exp(ways + (m - k) * log_q + k * log_rest)


@compiled
def rank_chances(counts, presence, own, less, q, used, chances, scratch):  # type: ignore[no-untyped-def]
    """Fill chances[:used] with the probability of k rivals above a bidder of group `own`, who beats each of group g, if it is
    there, with probability q[g]. One rival of group `less` is left out too, if that is not −1."""
    first = True
    for g in range(len(counts)):
        m = counts[g] - (g == own) - (g == less)
        if m <= 0:
            continue
        beaten = q[g] if presence[g] >= 1.0 else 1.0 - presence[g] * (1.0 - q[g])
        if first:
            _binomial(m, beaten, used, chances)
            first = False
            continue
        if beaten >= 1.0:
            continue
        if m == 1:  # one more factor
            for k in range(used - 1, 0, -1):
                chances[k] = chances[k] * beaten + chances[k - 1] * (1.0 - beaten)
            chances[0] *= beaten
            continue
        _binomial(m, beaten, used, scratch)
        for k in range(used - 1, -1, -1):
            total = 0.0
            for j in range(k + 1):
                total += chances[j] * scratch[k - j]
            chances[k] = total
    if first:
        chances[:used] = 0.0
        chances[0] = 1.0


@compiled
def _cdfs(mass, cdfs):  # type: ignore[no-untyped-def]
    """Fill cdfs `[groups, K+1]` with the running sums of masses `[groups, K]`, scaled to end at 1."""
    for g in range(len(mass)):
        total = 0.0
        cdfs[g, 0] = 0.0
        for b in range(mass.shape[1]):
            total += mass[g, b]
            cdfs[g, b + 1] = total
        for b in range(mass.shape[1]):
            cdfs[g, b + 1] = min(cdfs[g, b + 1] / total, 1.0)
        cdfs[g, mass.shape[1]] = 1.0


@compiled
def stretches(size):  # type: ignore[no-untyped-def]
    """How many stretches a tie is parted into, and which rule is used on each, where the number of rivals who tie is `size`.

    A rank chance is a polynomial of degree n − 1 in q, whose derivative of order 2m is n^{2m} times a number that depends on
    the rank alone; a rule of m nodes leaves (m!)⁴ / ((2m + 1) (2m)!³) times that derivative times the width^{2m}. With these
    bounds it is below 3e-13, the largest of all places and of ranks 1 to 12, for 10 to 1,000 bidders
    (`tests/test_contests.py`).
    """
    for rule in range(len(WIDEST)):
        if size <= WIDEST[rule]:
            return 1, rule
    return math.ceil(size / WIDEST[-1]), len(WIDEST) - 1


@compiled
def _tie(ranking, cdfs, g, b, low, high):  # type: ignore[no-untyped-def]
    """Fill low and high `[groups]` with the chances L and H that a rival of each group scores less than bid b of group g, and
    at most as much; return how the tie is integrated over, see `stretches`."""
    widest = 0.0
    for h in range(len(cdfs)):
        low[h] = cdfs[h, ranking.lower[ranking.kinds[g], ranking.kinds[h], b]]
        high[h] = cdfs[h, ranking.upper[ranking.kinds[g], ranking.kinds[h], b]]
        if ranking.counts[h] - (h == g) > 0:
            widest = max(widest, high[h] - low[h])
    return stretches(widest * ranking.counts.sum())


@compiled
def _room(groups, used):  # type: ignore[no-untyped-def]
    """What is filled again and again: rank chances and scratch for them, and three numbers for each group."""
    ranks = max(used, 2)
    return np.empty(ranks), np.empty(ranks), np.empty(groups), np.empty(groups), np.empty(groups)


@compiled
def rank_averages(ranking, coefficients, mass, out):  # type: ignore[no-untyped-def]
    """Fill out `[groups, rows, bids]` with the expected coefficient of the rank of each bid of each group.

    Args: coefficients `[rows, n]` by rank; mass `[groups, bids]` how rivals of each group bid, rows of any positive sum. To
    stay out has no rank: its column is 0.
    """
    groups, bids = mass.shape
    rows, n = coefficients.shape
    used = used_ranks(coefficients)
    cdfs = np.empty((groups, bids + 1))
    _cdfs(mass, cdfs)
    room = _room(groups, used)
    for g in range(groups):
        for r in range(rows):
            for b in range(bids):
                out[g, r, b] = coefficients[r, n - 1]
    if used > 0:
        if ranking.lucky:
            _by_sums(ranking, coefficients, used, mass, cdfs, room, out)
        else:
            for g in range(groups):
                if ranking.seconds:
                    for b in range(ranking.out, bids):
                        _with_seconds(ranking, coefficients, cdfs, g, b, room, out)
                else:
                    _in_ties(ranking, coefficients, used, cdfs, g, out)
    if ranking.out:
        out[:, :, 0] = 0.0


@compiled
def _in_ties(ranking, coefficients, used, cdfs, g, out):  # type: ignore[no-untyped-def]
    """`_in_tie` for all bids of group g: one list of the points of all ties, and all inner loops over points."""
    rows, n = coefficients.shape
    q, share, first = _tie_points(ranking, cdfs, g)
    chances = chances_at(ranking.counts, ranking.presence, g, q, used)
    worth = np.empty(len(share))
    for r in range(rows):
        if used_ranks(coefficients[r : r + 1]) == 0:
            continue  # filled with the last
        worth[:] = 0.0
        for k in range(used):
            add_multiple(coefficients[r, k] - coefficients[r, n - 1], chances[k], worth)
        for b in range(ranking.out, out.shape[2]):
            total = 0.0
            for i in range(first[b], first[b + 1]):
                total += share[i] * worth[i]
            out[g, r, b] = total + coefficients[r, n - 1]


@compiled
def _tie_points(ranking, cdfs, g):  # type: ignore[no-untyped-def]
    """With what chance a rival of each group is beaten at each point of the ties of group g's bids `[groups, points]`, the
    weight of each point, and where those of each bid begin `[bids + 1]`."""
    groups, bids, everybody = len(cdfs), cdfs.shape[1] - 1, ranking.counts.sum()
    low, width = np.empty((groups, bids)), np.empty((groups, bids))
    widest = np.zeros(bids)
    for h in range(groups):
        lower, upper = (
            ranking.lower[ranking.kinds[g], ranking.kinds[h]],
            ranking.upper[ranking.kinds[g], ranking.kinds[h]],
        )
        rivals = ranking.counts[h] - (h == g) > 0
        for b in range(bids):
            low[h, b] = cdfs[h, lower[b]]
            width[h, b] = cdfs[h, upper[b]] - low[h, b]
            if rivals:
                widest[b] = max(widest[b], width[h, b])
    parts, rules, first = np.zeros(bids, np.int64), np.zeros(bids, np.int64), np.zeros(bids + 1, np.int64)
    for b in range(bids):
        if b >= ranking.out:
            parts[b], rules[b] = stretches(widest[b] * everybody)
        first[b + 1] = first[b] + parts[b] * NODES[rules[b]]
    u, share = np.empty(first[bids]), np.empty(first[bids])
    for b in range(ranking.out, bids):
        part, rule, i = 1.0 / parts[b], rules[b], first[b]
        for s in range(parts[b]):
            for m in range(NODES[rule]):
                u[i] = (s + ranking.rules[rule, m]) * part
                share[i] = ranking.rule_weights[rule, m] * part
                i += 1
    q = np.empty((groups, len(u)))
    for h in range(groups):
        for b in range(ranking.out, bids):
            least, wide = low[h, b], width[h, b]
            for i in range(first[b], first[b + 1]):
                q[h, i] = least + u[i] * wide
    return q, share, first


@compiled
def chances_at(counts, presence, own, q, used):  # type: ignore[no-untyped-def]
    """`rank_chances` `[used, points]` at many points, q `[groups, points]`; all inner loops run over points."""
    points = q.shape[1]
    room = np.empty((2 * used + 3, points))
    chances, scratch = room[:used], room[used : 2 * used]
    beaten, power, total = room[2 * used], room[2 * used + 1], room[2 * used + 2]
    first = True
    for g in range(len(counts)):
        m = counts[g] - (g == own)
        if m <= 0:
            continue
        for i in range(points):
            beaten[i] = q[g, i]
        if presence[g] < 1.0:
            for i in range(points):
                beaten[i] = 1.0 - presence[g] * (1.0 - beaten[i])
        if first:
            _binomials(m, beaten, power, total, chances)
            first = False
        elif m == 1:  # one more factor
            for k in range(used - 1, 0, -1):
                for i in range(points):
                    chances[k, i] = chances[k, i] * beaten[i] + chances[k - 1, i] * (1.0 - beaten[i])
            for i in range(points):
                chances[0, i] *= beaten[i]
        else:
            _binomials(m, beaten, power, total, scratch)
            for k in range(used - 1, -1, -1):
                total[:] = 0.0
                for j in range(min(k, m) + 1):
                    add_product(chances[k - j], scratch[j], total)
                for i in range(points):
                    chances[k, i] = total[i]
    if first:
        chances[:] = 0.0
        chances[0] = 1.0
    return chances


@compiled
def add_product(x, y, out):  # type: ignore[no-untyped-def]
    """Add x·y to out, all of one length."""
    for i in range(len(out)):
        out[i] += x[i] * y[i]


@compiled
def _binomials(m, q, power, rest, out):  # type: ignore[no-untyped-def]
    """Fill out `[ranks, points]` with the chance that k of m rivals are above, each being beaten with probability q `[points]`;
    power and rest `[points]` are scratch.

    C(m, k) q^(m−k) (1−q)^k, with the powers of q from the lowest up: a product that underflows is next to nothing, for the
    number of choices is no large number here; where it may be, `_binomial` goes through logarithms. Small chances are made 0:
    processors multiply the smallest numbers that there are a hundred times more slowly.
    """
    top, points = min(len(out), m + 1), len(q)
    out[top:] = 0.0
    ways = 1.0
    for k in range(min(top, m // 2 + 1) - 1):
        ways *= (m - k) / (k + 1.0)
    if ways > MOST_WAYS:
        column = np.empty(len(out))
        for i in range(points):
            _binomial(m, q[i], len(out), column)
            for k in range(len(out)):
                out[k, i] = column[k] if column[k] > NEGLIGIBLE else 0.0
        return
    for i in range(points):
        out[top - 1, i] = 1.0
        power[i] = q[i]
    left = m - top + 1
    while left > 0:
        if left & 1:
            for i in range(points):
                out[top - 1, i] *= power[i]
        left >>= 1
        for i in range(points):
            power[i] = power[i] * power[i] if power[i] > NEGLIGIBLE else 0.0
    for k in range(top - 2, -1, -1):
        for i in range(points):
            out[k, i] = out[k + 1, i] * q[i] if out[k + 1, i] > UNDERFLOW else 0.0
    ways = 1.0
    for i in range(points):
        rest[i] = 1.0
    for k in range(1, top):
        ways *= (m - k + 1.0) / k
        for i in range(points):
            rest[i] = rest[i] * (1.0 - q[i]) if rest[i] > UNDERFLOW else 0.0
            chance = ways * rest[i] * out[k, i]
            out[k, i] = chance if chance > NEGLIGIBLE else 0.0


@compiled
def _in_tie(ranking, coefficients, used, cdfs, g, b, room, out):  # type: ignore[no-untyped-def]
    """The averages of bid b of group g over its place in a tie."""
    chances, scratch, q, low, high = room
    rows, n = coefficients.shape
    stretches, rule = _tie(ranking, cdfs, g, b, low, high)
    for r in range(rows):
        out[g, r, b] = 0.0
    for s in range(stretches):
        for m in range(NODES[rule]):
            u = (s + ranking.rules[rule, m]) / stretches
            weight = ranking.rule_weights[rule, m] / stretches
            for h in range(len(q)):
                q[h] = low[h] + u * (high[h] - low[h])
            rank_chances(ranking.counts, ranking.presence, g, -1, q, used, chances, scratch)
            for r in range(rows):
                total = 0.0
                for k in range(used):
                    total += (coefficients[r, k] - coefficients[r, n - 1]) * chances[k]
                out[g, r, b] += weight * total
    for r in range(rows):
        out[g, r, b] += coefficients[r, n - 1]


@compiled
def _with_seconds(ranking, coefficients, cdfs, g, b, room, out):  # type: ignore[no-untyped-def]
    """The same where every loser with at most one rival strictly above counts as second.

    With A the event that at most one rival bids strictly more, ranks are 1 with chance P_1, 2 with P(A) − P_1, and below
    otherwise: Σ c_k P_k = (c_1 − c_2) P_1 + (c_2 − c_3) P(A) + c_3.
    """
    chances, scratch, _, _, high = room
    rows, n = coefficients.shape
    first = np.zeros((1, n))
    first[0, 0] = 1.0
    win = np.zeros((len(cdfs), 1, out.shape[2]))
    _in_tie(ranking, first, 1, cdfs, g, b, room, win)  # fills high, too
    rank_chances(ranking.counts, ranking.presence, g, -1, high, 2, chances, scratch)
    few = chances[0] + chances[1]
    for r in range(rows):
        c1, c2, c3 = coefficients[r, 0], coefficients[r, 1], coefficients[r, n - 1]
        out[g, r, b] = (c1 - c2) * win[g, 0, b] + (c2 - c3) * few + c3


@compiled
def beaten_at(ranking, mass, cdfs, beaten):  # type: ignore[no-untyped-def]
    """Fill beaten `[groups, sums]` with the chance that a rival of each group ends below each sum: Σ_b m(b) G(t − s(b))."""
    for h in range(len(mass)):
        row, below = beaten[h], ranking.below[ranking.kinds[h]]
        row[:] = 0.0
        for b in range(mass.shape[1]):
            share = cdfs[h, b + 1] - cdfs[h, b]
            if share > 0.0:
                add_multiple(share, below[b], row)
        for t in range(len(row)):
            row[t] = min(row[t], 1.0)


@compiled
def add_multiple(factor, x, out):  # type: ignore[no-untyped-def]
    """Add factor·x to out, both of one length: on vector registers, for nothing else is looked at."""
    for i in range(len(out)):
        out[i] += factor * x[i]


@compiled
def _by_sums(ranking, coefficients, used, mass, cdfs, room, out):  # type: ignore[no-untyped-def]
    """The averages of all bids over the sum of score and luck; where a score is −∞, over the place among such bids."""
    groups = len(mass)
    rows, n = coefficients.shape
    sums = ranking.below.shape[2]
    beaten = np.empty((groups, sums))
    beaten_at(ranking, mass, cdfs, beaten)
    worth = np.empty((rows, sums))
    for g in range(groups):
        chances = chances_at(ranking.counts, ranking.presence, g, beaten, used)
        worth[:] = 0.0
        for r in range(rows):
            for k in range(used):
                add_multiple(coefficients[r, k] - coefficients[r, n - 1], chances[k], worth[r])
        for r in range(rows):
            row, density = out[g, r], ranking.density[ranking.kinds[g]]
            for t in range(sums):
                if worth[r, t] != 0.0:
                    add_multiple(worth[r, t], density[t], row)
        if ranking.floors[ranking.kinds[g]] >= 0:
            _in_tie(ranking, coefficients, used, cdfs, g, ranking.floors[ranking.kinds[g]], room, out)


@compiled
def rank_slopes(ranking, coefficients, mass, out):  # type: ignore[no-untyped-def]
    """Fill out `[groups, rows, bids, groups, bids]` with the derivatives of `rank_averages` in the masses, whose rows sum to 1.

    By d/dq_h of Σ_k c_k P_k = m_h Σ_k (c_k − c_{k+1}) P_k without one rival of group h.
    """
    groups, bids = mass.shape
    rows, n = coefficients.shape
    used = used_ranks(coefficients)
    out[:] = 0.0
    if used == 0:
        return
    cdfs = np.empty((groups, bids + 1))
    _cdfs(mass, cdfs)
    falls = np.zeros((rows, used))
    for r in range(rows):
        for k in range(used):
            falls[r, k] = coefficients[r, k] - coefficients[r, min(k + 1, n - 1)]
    room = _room(groups, used)
    if ranking.lucky:
        _slopes_by_sums(ranking, falls, used, mass, cdfs, room, out)
    for g in range(groups):
        for b in range(ranking.out, bids):
            if not ranking.lucky or b == ranking.floors[ranking.kinds[g]]:
                _slopes_in_tie(ranking, falls, used, cdfs, g, b, room, out)


@compiled
def _slope(ranking, falls, used, g, h, chances, r):  # type: ignore[no-untyped-def]
    """Σ_k falls[r, k] P_k, P without one rival of group h, times how many there are and how often they are there."""
    total = 0.0
    for k in range(used):
        total += falls[r, k] * chances[k]
    return total * (ranking.counts[h] - (h == g)) * ranking.presence[h]


@compiled
def _slopes_in_tie(ranking, falls, used, cdfs, g, b, room, out):  # type: ignore[no-untyped-def]
    """A tie's average is ∫ W(L + u(H − L)) du: its derivatives in L and H are ∫ W′·(1 − u) du and ∫ W′·u du."""
    chances, scratch, q, low, high = room
    rows = falls.shape[0]
    out[g, :, b] = 0.0
    stretches, rule = _tie(ranking, cdfs, g, b, low, high)
    rule = max(rule, 1)
    for s in range(stretches):
        for m in range(NODES[rule]):
            u = (s + ranking.rules[rule, m]) / stretches
            weight = ranking.rule_weights[rule, m] / stretches
            for h in range(len(q)):
                q[h] = low[h] + u * (high[h] - low[h])
            for h in range(len(q)):
                if ranking.counts[h] - (h == g) <= 0:
                    continue
                rank_chances(ranking.counts, ranking.presence, g, h, q, used, chances, scratch)
                less = ranking.lower[ranking.kinds[g], ranking.kinds[h], b]
                as_much = ranking.upper[ranking.kinds[g], ranking.kinds[h], b]
                for r in range(rows):
                    slope = weight * _slope(ranking, falls, used, g, h, chances, r)
                    for c in range(less):
                        out[g, r, b, h, c] += slope
                    for c in range(less, as_much):
                        out[g, r, b, h, c] += slope * u


@compiled
def _slopes_by_sums(ranking, falls, used, mass, cdfs, room, out):  # type: ignore[no-untyped-def]
    """∫ g(t − s(b)) ∂W/∂q_h G(t − s(c)) dt, as a product of two tables."""
    chances, scratch, q, _, _ = room
    groups, bids = mass.shape
    rows = falls.shape[0]
    sums = ranking.below.shape[2]
    beaten = np.empty((groups, sums))
    beaten_at(ranking, mass, cdfs, beaten)
    slope = np.empty((rows, sums))
    for h in range(groups):
        below = ranking.below[ranking.kinds[h]].T.copy()
        for g in range(groups):
            if ranking.counts[h] - (h == g) <= 0:
                continue
            for t in range(sums):
                for f in range(groups):
                    q[f] = beaten[f, t]
                rank_chances(ranking.counts, ranking.presence, g, h, q, used, chances, scratch)
                for r in range(rows):
                    slope[r, t] = _slope(ranking, falls, used, g, h, chances, r)
            for r in range(rows):
                if not np.any(slope[r]):  # a payment that is the same for every rank
                    continue
                for b in range(bids):
                    row = out[g, r, b, h]
                    for t in range(sums):
                        share = slope[r, t] * ranking.density[ranking.kinds[g], t, b]
                        if share != 0.0:
                            add_multiple(share, below[t], row)
