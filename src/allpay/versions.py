"""What computes the results: the same of all this, and the same seed, give the same bits."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("allpay", "numpy", "scipy", "numba", "jax", "jaxlib", "equinox", "optax", "polars")

WITHOUT_EFFECT = {"python", "polars"}
"""What is recorded, but computes no number."""


@cache
def versions() -> dict[str, str]:
    """The versions of what computes the results, and the kind of processor that it is compiled for."""
    from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return {**found, "processor": get_host_cpu_name()}


def difference(one: dict[str, str], other: dict[str, str]) -> str:
    """In what two of them differ that can change a bit, in words; empty if in nothing."""
    names = [name for name in {**one, **other} if name not in WITHOUT_EFFECT and one.get(name) != other.get(name)]
    return ", ".join(f"{name} {one.get(name, 'unknown')}, not {other.get(name, 'unknown')}" for name in names)


def in_words(found: dict[str, str]) -> str:
    """All of them in one line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())
