"""At least 500 strange study files, made from the declared keys: one line that names the key, or a study."""

import dataclasses
import os
import random
import threading

import pytest

import strange
from allpay.errors import LONGEST, AllpayError
from allpay.learners import LEARNERS
from allpay.study import Study
from allpay.study.file import MOST_BYTES, GameSection, StudySection, read_study

TOML = (
    *(
        "-1",
        "0",
        "1",
        "2",
        "3",
        "0.5",
        "1.5",
        "1e30",
        "1e308",
        "-1e308",
        "1e-320",
        "nan",
        "inf",
        "-inf",
        "true",
        "false",
    ),
    *("10000000000", "100000000000000000000", "9" * 400, "9" * 5000, "1e9", "200", "1979-05-27", "07:32:00"),
    *(
        "''",
        "' '",
        "'x'",
        "'prizes'",
        "'payments'",
        "'common'",
        "'box'",
        "'active'",
        "'sobol'",
        "'grid'",
        "'continuous'",
    ),
    *(
        "'uniform(0)'",
        "'beta(-1,2)'",
        "'power(1e-300)'",
        "'steps(0,0,3)'",
        '"line\\nbreak"',
        '"\\u001b[31m"',
        f"'{'a' * 5000}'",
    ),
    *("[]", "[1, 2]", "[[0.6, 0.4], 0.8]", "['a']", "{}", "{a = 1}", f"[{'1, ' * 5000}]", "[" * 100 + "]" * 100),
)


def keys():
    """Every key of every section, with what else must be said for it to have an effect."""
    for section, kind in (("study", StudySection), ("game", GameSection)):
        for key in kind.model_fields:
            yield section, key, ""
    for name in LEARNERS:
        for field in dataclasses.fields(LEARNERS[name]):
            yield "learner", field.name, f"name = '{name}'\n"


def read(path, text):
    """What is said of a study file; empty if it is one."""
    path.write_text(text)
    try:
        study = read_study(path)
    except AllpayError as error:
        return str(error)
    except Exception as error:  # a user would see a traceback
        return f"\n{error!r}"
    assert isinstance(study, Study)
    return ""


def test_every_value_of_every_key_is_taken_or_refused_in_one_line(tmp_path):
    rng, path, faults, tried = random.Random(5), tmp_path / "s.toml", [], 0
    every = list(keys())
    for section, key, more in [*every * 3, *(rng.choice(every) for _ in range(520 - 3 * len(every)))]:
        value = rng.choice(TOML)
        said = read(path, f"[{section}]\n{more}{key} = {value}\n")
        tried += 1
        fault = strange.fault_of(f"allpay: {said}", LONGEST + 8) if said else ""
        if said and not fault and not any(word in said.replace("-", "_").replace(" ", "_") for word in words_for(key)):
            fault = "it does not name the key"
        if fault:
            faults.append((fault, section, key, value[:60], said[:400]))
    assert tried >= 500
    assert not faults, "\n".join(map(str, faults[:20]))


def words_for(key):
    """By what words a line names a key."""
    more = {
        "ranks": ("rank",),
        "distribution": ("values", "uniform", "beta", "power", "steps", "value_levels"),
        "designs": ("weight", "_w_", "sum_to_1", "box"),
        "max_bid": ("grid", "utilities"),
        "first_at_most": ("first_weight",),
        "first_at_least": ("first_weight",),
        "last_at_least": ("last",),
        "region": ("box", "prizes"),
        "sampling": ("grid", "sobol"),
        "final_entropy": ("entropy",),
        "exploration": ("exploration",),
    }
    digits = ("digits", "nested", "not_TOML")  # the file cannot be read, so that no key is known
    return (key, *more.get(key, ()), *digits)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[learner]\nweighting = 200.0", "weighting must be from 0 to 30: got 200.0"),
        ("[learner]\nname = 'dqn'\nlearning_rate = 1e30", "learning_rate must be from 1e-09 to 1: got 1e+30"),
        ("[learner]\nname = 'dqn'\nchunk = 1e9", "chunk of dqn must be a whole number: got 1000000000.0"),
        ("[learner]\nname = 'dqn'\nchunk = 1000000000", "chunk must be at most 1,000,000: got 1000000000"),
        ("[learner]\nname = 'ppo'\nchunk = 100000", "of memory, more than 3 GB"),
        (f"[study]\ndesigns = {'[' * 20000}1{']' * 20000}", "nested too deep"),
        (f"[study]\nsamples = {'7' * 5000}", "a number has more than 4,300 digits"),
        ("[study]\nsamples = 1000000000", "samples must be at most 100,000,000: got 1000000000"),
        (
            "[study]\nbidders = 2\nranks = 5",
            "between 2 and 2 ranks of 2 can carry weight: got 5, which need 5 bidders or more",
        ),
    ],
)
def test_what_overflows_is_named(tmp_path, text, said):
    assert said in read(tmp_path / "s.toml", text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_that_nobody_writes_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    found = []

    def look():
        with pytest.raises(AllpayError) as error:
            read_study(tmp_path / "pipe.toml")
        found.append(str(error.value))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(10)
    assert found
    assert "is a pipe or a device" in found[0]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device without an end")
def test_what_has_no_end_is_not_read(tmp_path):
    with pytest.raises(AllpayError, match="/dev/zero is a pipe or a device"):
        read_study(type(tmp_path)("/dev/zero"))
    (tmp_path / "long.toml").write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(AllpayError, match="has more than 1,000,000 bytes"):
        read_study(tmp_path / "long.toml")


def test_a_line_is_short_whatever_the_name_of_the_file(tmp_path):
    path = tmp_path / ("x" * 200 + "\n\x1b[31m.toml")
    said = read(path, "[study]\nsamples = 'many'\n")
    assert len(said) <= LONGEST
    assert said.isprintable()
    assert "study.samples must be a whole number: got 'many'" in said
