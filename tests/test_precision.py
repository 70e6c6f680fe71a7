"""Results do not depend on how the user has set JAX; and what they do depend on is recorded, and said where it differs."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from allpay import FictitiousPlay, Setting, Study, learn
from allpay.learners import learner
from allpay.precision import SETTINGS, usual
from allpay.progress import listening
from allpay.study import run
from allpay.surrogate import fit_surrogate
from allpay.versions import FLAGS, difference, versions
from test_learners import SHORT_ITS_OWN_WAY, small

OTHERS = {
    "enable_x64": True,
    "default_prng_impl": "rbg",
    "threefry_partitionable": False,
    "default_matmul_precision": "highest",
    "numpy_dtype_promotion": "strict",
    "numpy_rank_promotion": "raise",
}


@pytest.fixture(params=list(OTHERS))
def other(request):
    """One of JAX's settings as somebody's program may have it."""
    with getattr(jax, request.param)(OTHERS[request.param]):
        yield request.param


def test_every_setting_that_is_pinned_is_tried():
    assert OTHERS.keys() == SETTINGS.keys()


TINY = [
    learner(name, **SHORT_ITS_OWN_WAY[name]) for name in ("dqn", "ppo")
]  # as elsewhere, so that it is compiled once


@pytest.mark.parametrize("deep", TINY, ids=lambda deep: deep.name)
def test_deep_learners_do_not_depend_on_the_users_settings(deep, other):
    game = small(0.8)
    with usual():
        expected = _EXPECTED.setdefault(deep.name, learn(game, deep, rounds=1))
    assert learn(game, deep, rounds=1) == expected


_EXPECTED: dict[str, object] = {}


def test_the_surrogate_does_not_depend_on_the_users_settings(other):
    w = np.linspace(0.5, 1, 8)[:, None] * [1.0, 0.0] + [0.0, 0.1]
    with usual():
        before = fit_surrogate(w, w[:, 0] ** 2, 0, members=5, steps=5)
        expected = (before.members(w), *before.value_and_gradient(w), *before.members_and_gradients(w))
    after = fit_surrogate(w, w[:, 0] ** 2, 0, members=5, steps=5)
    found = (after.members(w), *after.value_and_gradient(w), *after.members_and_gradients(w))
    for one, two in zip(expected, found, strict=True):
        assert np.array_equal(one, two)
        assert one.dtype == two.dtype


def test_the_users_settings_are_left_as_they_are(other):
    with usual():
        assert jax.config.jax_enable_x64 is False
    held = jax.config.jax_enable_x64
    assert held is (other == "enable_x64")


def recorded(**environment):
    """The versions that a process with such an environment records."""
    code = "import json; from allpay.versions import versions; print(json.dumps(versions()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_what_the_environment_says_is_recorded(monkeypatch):
    for name in FLAGS:
        monkeypatch.delenv(name, raising=False)
    usual_ones = versions()
    assert not set(FLAGS) & set(usual_ones)
    assert usual_ones["blas"] != ""
    flags = {name: "1" for name in FLAGS if name != "JAX_DISABLE_JIT"}
    for name, value in flags.items():
        monkeypatch.setenv(name, value)
    assert difference(versions(), usual_ones).count("1, not not set") == len(flags)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_cpu_enable_fast_math=true")
    assert versions()["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"


def test_another_kind_of_blas_or_no_compiler_is_recorded():
    found = recorded(JAX_DISABLE_JIT="1", OPENBLAS_CORETYPE="Sandybridge")
    assert found["JAX_DISABLE_JIT"] == "1"
    assert found["blas"].lower() == "sandybridge" or versions()["blas"] == "unknown"


def test_it_is_said_when_a_folder_is_gone_on_with_under_other_flags(tmp_path, monkeypatch):
    study = Study(learner=FictitiousPlay(iterations=2, auctions=10), setting=Setting(bid_levels=3), samples=4, rounds=1)
    run(study, tmp_path / "study", batch=2)
    (tmp_path / "study" / "batches" / "batch-00001.parquet").unlink()
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    told: list[str] = []
    with listening(tell=told.append):
        run(study, tmp_path / "study")
    assert any("NUMBA_CPU_NAME not set, not generic" in text for text in told)
