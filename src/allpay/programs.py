"""What JAX has compiled, kept for the next process in the user's cache folder: JAX's own persistent compilation cache, where
JAX has not been told of another. Nothing is kept, and nothing said, where there is no place that is safe and has room.
"""

import hashlib
import os
import shutil
import stat
import sys
import warnings
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

MOST = 2**28
"""Bytes that are kept at most; what was used longest ago is deleted first. Only a cache with a bound is locked by JAX."""

WORTH_KEEPING = 0.2
"""Seconds; what compiles sooner is not kept."""

UNFINISHED = "Error (reading|writing) persistent compilation cache entry"
"""How JAX's warning begins where an entry could not be read or written, for which it compiles as without a cache."""


@cache
def keep_programs() -> None:
    """Let JAX keep what it compiles from now on, unless the user has chosen where it does, or that it does not."""
    import jax

    config: Any = jax.config
    if config.jax_compilation_cache_dir is not None or not config.jax_enable_compilation_cache:
        return
    folder = safe_folder()
    if folder is None:
        return
    warnings.filterwarnings("ignore", message=UNFINISHED)
    for name, usual, value in (
        ("jax_compilation_cache_max_size", -1, MOST),
        ("jax_persistent_cache_min_compile_time_secs", 1.0, WORTH_KEEPING),
    ):
        if getattr(config, name) == usual:
            config.update(name, value)
    config.update("jax_compilation_cache_dir", str(folder))


def safe_folder() -> Path | None:
    """The folder for compiled programs, made if need be; None where none can be written, has room, or is the user's own."""
    try:
        home = user_cache()
        if home is None:
            return None
        folder = home / "allpay" / f"jax-{machine()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not own(folder.resolve(strict=True)) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return None
        tidy(folder)
        return folder if room(folder) > MOST and not refused(folder) else None
    except (OSError, ValueError):
        return None


def user_cache() -> Path | None:
    """Where programs of this user keep what can be made again; None if the user has no home."""
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    if given and Path(given).is_absolute():
        return Path(given)
    if sys.platform == "win32":
        return None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    below = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return home / below if home.is_absolute() and home.is_dir() else None


def machine() -> str:
    """A name for processors of one kind: machine code of one may not run on another that shares the home."""
    from llvmlite import binding  # type: ignore[import-untyped]

    try:
        features = binding.get_host_cpu_features().flatten()
    except RuntimeError:
        features = ""
    return hashlib.sha256(f"{binding.get_host_cpu_name()} {features}".encode()).hexdigest()[:16]


def own(folder: Path) -> bool:
    """Whether nobody but this user, and root, can put a file into a folder, or another folder into its place.

    JAX runs what it finds there. Folders around it may let others write where nobody can take away what is not theirs
    (as in /tmp). On Windows the user's folder is private by its list of rights.
    """
    if sys.platform == "win32":
        return True
    user = os.geteuid()
    for place in (folder, *folder.parents):
        found = place.stat()
        if found.st_uid not in ((user,) if place == folder else (user, 0)):
            return False
        writable = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not alone(found.st_gid))
        if writable and (place == folder or not found.st_mode & stat.S_ISVTX):
            return False
    return True


def alone(group: int) -> bool:
    """Whether a group is the private one that many systems give each user, of the user's own name and with no other member."""
    if sys.platform == "win32":
        return True
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group == user.pw_gid and found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}


def tidy(folder: Path) -> None:
    """Delete entries without a time of their last use: a process ended, or the disk was full, while they were written.

    JAX would neither repair them nor, for want of that time, make room any more.
    """
    for entry in folder.glob("*-cache"):
        if not entry.with_name(f"{entry.name.removesuffix('cache')}atime").exists():
            with suppress(OSError):
                entry.unlink()


def refused(folder: Path) -> bool:
    """Whether XLA would refuse what it has kept here, each time with lines of error.

    It does so on processors for which it compiles with preferences, such as `+prefer-no-gather`: it then looks for them among
    what the processor can do (https://github.com/openxla/xla/issues/44565).
    """
    entries = sorted(folder.glob("*-cache"), key=lambda entry: entry.stat().st_size)
    try:
        return bool(entries) and b"+prefer-" in zlib.decompress(entries[0].read_bytes())
    except zlib.error:  # damaged, or kept in a form that takes another library
        return False


def room(folder: Path) -> int:
    """How many bytes are free for this user where the folder is."""
    return shutil.disk_usage(folder).free
