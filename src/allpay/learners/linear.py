"""Linear equations in compiled loops: one thread, and the same bits wherever they run, which LAPACK does not promise."""

from allpay.compiled import compiled


@compiled
def factor(a, pivots):  # type: ignore[no-untyped-def]
    """LU factors of `a` in its place, with row pivots. For matrices this small it is as fast as LAPACK, and one thread's."""
    n = len(a)
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[pivot, k]):
                pivot = i
        pivots[k] = pivot
        if pivot != k:
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            a[i, k] = factor
            if factor != 0.0:
                for j in range(k + 1, n):
                    a[i, j] -= factor * a[k, j]


@compiled
def substitute(a, pivots, y):  # type: ignore[no-untyped-def]
    """Turn y into the solution of the equations whose factors are `a`."""
    n = len(a)
    for k in range(n):
        y[k], y[pivots[k]] = y[pivots[k]], y[k]
    for i in range(n):
        for j in range(i):
            y[i] -= a[i, j] * y[j]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            y[i] -= a[i, j] * y[j]
        y[i] /= a[i, i]
