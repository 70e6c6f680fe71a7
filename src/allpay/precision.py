"""JAX's settings while allpay computes: those that JAX begins with, whatever the user's program or environment has set.

Results must not depend on them: a study that is run in one process, in two, or gone on with under other settings would hold
numbers of two precisions.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from allpay.programs import keep_programs

Given = ParamSpec("Given")
Result = TypeVar("Result")

SETTINGS: dict[str, Any] = {
    "enable_x64": False,
    "default_prng_impl": "threefry2x32",
    "threefry_partitionable": True,
    "default_matmul_precision": None,
    "numpy_dtype_promotion": "standard",
    "numpy_rank_promotion": "allow",
}
"""Numbers of 32 bits, the streams of random numbers, and how arrays of different kinds are added."""


@contextmanager
def usual() -> Iterator[None]:
    """While this lasts JAX computes in 32 bits, and by its other usual settings, in this thread."""
    import jax

    keep_programs()
    with ExitStack() as stack:
        for name, value in SETTINGS.items():
            setting = getattr(jax, name, None)
            if setting is None:  # before JAX 0.8 this one was elsewhere
                from jax import experimental

                setting = getattr(experimental, name)
            stack.enter_context(setting(value))
        yield


def pinned(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """The function, computing under the `usual` settings."""

    @wraps(function)
    def wrapped(*args: Given.args, **options: Given.kwargs) -> Result:
        with usual():
            return function(*args, **options)

    return wrapped
