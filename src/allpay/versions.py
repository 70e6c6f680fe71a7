"""What computes the results: the same of all this, and the same seed, give the same bits."""

import ctypes
import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VERSION = "0.1.0"
"""Of allpay; pyproject.toml takes it from here."""

DISTRIBUTION = "allpay-auctions"
"""What allpay is called on the package index."""

PACKAGES = ("numpy", "scipy", "numba", "jax", "jaxlib", "equinox", "optax", "polars")

WITHOUT_EFFECT = {"python", "polars"}
"""What is recorded, but computes no number."""

FLAGS = (
    *("XLA_FLAGS", "JAX_DISABLE_JIT", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES"),
    *("NPY_ENABLE_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT", "NUMBA_OPT"),
)
"""Variables of the environment by which the same versions compute other bits; they are recorded where they are set."""

HARMLESS = ("--xla_cpu_multi_thread_eigen",)
"""Flags of XLA that change no bit: allpay sets them itself where a process has one thread."""

OFF = {"", "0", "false", "no", "off"}


def versions() -> dict[str, str]:
    """The versions of what computes the results, the kind of processor, and what else they depend on, as far as it is set."""
    return {**_installed(), **_flags()}


def to_install(extra: str) -> str:
    """How an optional part is installed, in words."""
    return f"(the extra allpay[{extra}]) with pip install '{DISTRIBUTION}[{extra}]'"


def precision() -> str:
    """In how many bits JAX computes where nobody pins it; "32 bits" where it has not been loaded."""
    jax = sys.modules.get("jax")
    return "64 bits" if jax is not None and jax.config.jax_enable_x64 else "32 bits"


@cache
def _installed() -> dict[str, str]:
    from llvmlite.binding import get_host_cpu_name  # type: ignore[import-untyped]

    found = {"python": platform.python_version(), "allpay": VERSION}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return {**found, "processor": get_host_cpu_name(), "blas": _blas()}


def _blas() -> str:
    """The kind of processor that NumPy's OpenBLAS computes for, which OPENBLAS_CORETYPE can change."""
    import numpy

    for library in sorted((Path(numpy.__file__).parent.parent / "numpy.libs").glob("*openblas*")):
        for name in ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename"):
            try:
                core = getattr(ctypes.CDLL(str(library)), name)
            except (OSError, AttributeError):
                continue
            core.restype = ctypes.c_char_p
            return str(core().decode())
    return os.environ.get("OPENBLAS_CORETYPE", "unknown")


def _flags() -> dict[str, str]:
    found = {name: os.environ.get(name, "") for name in FLAGS}
    found["XLA_FLAGS"] = " ".join(flag for flag in found["XLA_FLAGS"].split() if not flag.startswith(HARMLESS))
    jax = sys.modules.get("jax")
    if jax is not None:  # a program may have set it
        found["JAX_DISABLE_JIT"] = "1" if jax.config.jax_disable_jit else ""
    return {name: value[:300] for name, value in found.items() if value.lower() not in OFF}


def difference(one: dict[str, str], other: dict[str, str]) -> str:
    """In what two of them differ that can change a bit, in words; empty if in nothing."""
    names = [name for name in {**one, **other} if name not in WITHOUT_EFFECT and one.get(name) != other.get(name)]

    def said(of: dict[str, str], name: str) -> str:
        return of.get(name, "not set" if name in FLAGS else "unknown")

    return ", ".join(f"{name} {said(one, name)}, not {said(other, name)}" for name in names)


def in_words(found: dict[str, str]) -> str:
    """All of them in one line."""
    return ", ".join(f"{name} {version}" for name, version in found.items())
