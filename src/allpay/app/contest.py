"""A contest of the page, read from a link, a box or a study file, always as data; and as a study, which answers are had of."""

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from allpay.app.split import resized
from allpay.app.state import BOUNDS, MOST_BIDDERS, MOST_LETTERS, MOST_PRIZES, Contest, Read, plain, text_of
from allpay.contest.amounts import amounts
from allpay.contest.attendance import field
from allpay.contest.game import Setting
from allpay.contest.success import success
from allpay.contest.values import distribution
from allpay.errors import AllpayError, one_line, one_of, short, shortened
from allpay.learners import LEARNERS
from allpay.objectives import objective
from allpay.study import DesignSpace, Study
from allpay.study.file import WORDS_OF_GROUPS, BidderSection, StudyFile, group

MOST_GROUPS = 6
MOST_PURSE = 1e12

SAME = "common"
"""What stands for values that are the same for all, where a distribution may stand."""


def number_of(contest: Contest) -> int:
    """How many bidders there are at most."""
    if contest.groups:
        return sum(group(text).count for text in contest.groups)
    return int(contest.bidders) if contest.bidders.isdecimal() else field(contest.bidders).most


def weights_of(contest: Contest) -> tuple[float, ...]:
    """`[bidders]` the share of every rank."""
    return (*contest.prizes, *(0.0,) * (number_of(contest) - len(contest.prizes)))[: number_of(contest)]


def file_of(contest: Contest, alone: bool = False) -> StudyFile:
    """The study that it is a part of.

    Args:
        alone: whether this split alone is tried, not many.
    """
    kinds = [group(text) for text in contest.groups]
    who: dict[str, Any] = {"cost_power": contest.cost_power, "risk_aversion": contest.risk_aversion}
    who |= {"values": SAME} if contest.values == SAME else {"distribution": contest.values}
    game = {"luck": contest.luck, "attendance": contest.attendance, "reserve": contest.reserve, "fee": contest.fee}
    if not (kinds or contest.bidders.isdecimal()):
        game["attendance"] = contest.bidders
    study: dict[str, Any] = {"bidders": number_of(contest), "objective": contest.objective}
    study |= {} if contest.purse is None else {"money": contest.purse}
    study |= {"designs": [list(weights_of(contest))], "rounds": 3} if alone else {}
    return StudyFile.model_validate(
        {
            "study": study,
            "game": game if kinds else game | who,
            "bidders": kinds,
            "learner": {"name": contest.learner},
        }
    )


def study_of(contest: Contest) -> Study:
    """The study of all splits of its purse; nothing in it is code of somebody else's.

    Raises:
        AllpayError: if something does not fit.
    """
    made = file_of(contest).build(trust=False)
    assert isinstance(made, Study)
    return made


@lru_cache(maxsize=64)
def setting_of(contest: Contest) -> Setting:
    """Who bids for what, as theory sees it: no learner changes it.

    Raises:
        AllpayError: if something does not fit.
    """
    made = file_of(contest)
    return made.game.setting(Setting(), made.bidders)


def space_of(contest: Contest) -> DesignSpace:
    """All splits of the purse."""
    return DesignSpace("prizes", number_of(contest))


# Reading --------------------------------------------------------------------------------------------------------------


def _text(what: str, text: str) -> str:
    text = one_line(text.strip())
    if len(text) > MOST_LETTERS:
        raise AllpayError(f"{what} has at most {MOST_LETTERS} letters: got {len(text)}; shorten it")
    return text


def _bidders(text: str) -> str:
    text = _text("bidders", text)
    if re.fullmatch(r"\d+(\.0*)?", text):
        number = int(float(text)) if len(text) < 12 else 10**9
        text = str(number)
    elif ":" in text or "(" in text:
        number = field(text).most
    else:
        raise AllpayError(
            f"bidders are a number, as 5, or how many may turn up, as 3:8 or poisson(6): got {short(text)}"
        )
    if not 2 <= number <= MOST_BIDDERS:
        raise AllpayError(f"bidders must be from 2 to {MOST_BIDDERS} on this page: got {shortened(text, 20)}")
    return text


def _groups(texts: Iterable[str]) -> tuple[str, ...]:
    lines = tuple(_text("a group", line) for text in texts for line in text.splitlines() if line.strip())
    if len(lines) > MOST_GROUPS:
        raise AllpayError(f"there may be {MOST_GROUPS} groups at most: got {len(lines)}; leave some out")
    try:
        number = sum(group(line).count for line in lines)
        setting_of(Contest(groups=lines))
    except ValidationError as error:
        raise AllpayError(
            f"a group is written as 8: uniform(0,0.5), cost 2: got {short(error.errors()[0]['input'])}"
        ) from None
    if lines and not 2 <= number <= MOST_BIDDERS:
        raise AllpayError(f"groups must have from 2 to {MOST_BIDDERS} bidders in all: got {number}")
    return lines


def read_prizes(text: str) -> tuple[tuple[float, ...], float | None]:
    """The shares of prizes in money, percent or fractions, and the purse if they are money.

    Raises:
        AllpayError: if they cannot be read, or are too many.
    """
    table = amounts(_text("prizes", text))
    shares = tuple(float(share) for share in table.shares)
    if table.unit != "money" and not math.isclose(math.fsum(table.numbers), table.total, rel_tol=1e-6):
        raise AllpayError(f"prizes in percent or parts must be all of the purse: got {short(text)}")
    while len(shares) > 1 and shares[-1] == 0:
        shares = shares[:-1]
    if len(shares) > MOST_PRIZES:
        raise AllpayError(
            f"there may be {MOST_PRIZES} prizes at most on this page: got {len(shares)}; see allpay judge"
        )
    return shares, table.total if table.unit == "money" else None


def _prizes(text: str) -> tuple[float, ...]:
    shares, _ = read_prizes(text)
    return shares


def _number(what: str, text: str) -> float:
    low, high = BOUNDS[what]
    name = what.replace("_", " ")
    try:
        number = float(_text(name, text))
    except ValueError:
        raise AllpayError(f"{name} must be a number from {low:g} to {high:g}: got {short(text)}") from None
    if not low <= number <= high:
        raise AllpayError(f"{name} must be from {low:g} to {high:g}: got {shortened(text, 20)}")
    return number


def _purse(text: str) -> float | None:
    text = _text("the purse", text).replace(",", "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise AllpayError(f"the purse is an amount of money, as 20000: got {short(text)}") from None
    if not 0 < number <= MOST_PURSE:
        raise AllpayError(f"the purse must be above 0 and at most {MOST_PURSE:,.0f}: got {shortened(text, 20)}")
    return number


def _values(text: str) -> str:
    text = _text("values", text)
    if text != SAME:
        distribution(text)
    return text


def _luck(text: str) -> str:
    text = _text("luck", text)
    success(text)
    return text


def _objective(text: str) -> str:
    found = objective(_text("the objective", text))
    if found.codes:
        raise AllpayError(f"this page runs no code of others: {short(found.codes[0])} is for allpay design --objective")
    return found.text


def _learner(text: str) -> str:
    return one_of("learner", _text("the learner", text), LEARNERS)


READERS: Mapping[str, Callable[[str], Any]] = {
    "bidders": _bidders,
    "groups": lambda text: _groups([text]),
    "prizes": _prizes,
    "purse": _purse,
    "values": _values,
    "luck": _luck,
    **{name: partial(_number, name) for name in BOUNDS},
    "objective": _objective,
    "learner": _learner,
}
"""How the text of each part is read; each raises AllpayError, naming the value, the bound and the remedy."""


def misfit(contest: Contest) -> tuple[str, str] | None:
    """The part that does not fit the others, each being well by itself, and why; None if all fit."""
    n = number_of(contest)
    if len(contest.prizes) > n:
        return "prizes", f"there are {len(contest.prizes)} prizes for {n} bidders: leave some out"
    if contest.attendance < 1 and not (contest.groups or contest.bidders.isdecimal()):
        return "attendance", f"with {contest.bidders} bidders their number is random already: set the chance to 1"
    try:
        objective(contest.objective).check(n)
    except AllpayError as error:
        return "objective", str(error)
    try:
        setting_of(contest).game(space_of(contest).mechanism(weights_of(contest)))
    except AllpayError as error:
        return "groups" if contest.groups else "values", str(error)
    except ValidationError as error:
        return "groups", one_line(str(error.errors()[0]["msg"]))
    return None


def changed(contest: Contest, changes: Mapping[str, str]) -> Read:
    """A contest after somebody wrote something, and what is wrong with it.

    >>> read = changed(Contest(), {"bidders": "1", "luck": "tullock(1)"})
    >>> read.contest.luck, read.wrong
    ('tullock(1)', {'bidders': 'bidders must be from 2 to 200 on this page: got 1'})
    """
    found, wrong = contest, dict[str, str]()
    for name, text in changes.items():
        if name not in READERS:
            continue  # links get parts from elsewhere, as ?utm_source
        try:
            if name == "prizes":  # which may say the purse
                shares, purse = read_prizes(text)
                found = replace(
                    found, prizes=shares, purse=found.purse if purse is None or "purse" in changes else purse
                )
            else:
                found = replace(found, **{name: READERS[name](text)})
        except AllpayError as error:
            wrong[name] = str(error)
    n = number_of(found)
    if len(found.prizes) > n and "prizes" not in changes:  # fewer bidders than there were
        found = replace(found, prizes=resized(found.prizes, n))
    unfit = misfit(found)
    if unfit is not None:
        wrong.setdefault(*unfit)
        wrong[""] = unfit[1]
    return Read(found, wrong, query_of(found), n)


# Links ----------------------------------------------------------------------------------------------------------------


def query_of(contest: Contest) -> str:
    """What a link keeps of a contest: what is not as usual."""
    usual = Contest()
    changed = [f.name for f in fields(Contest) if getattr(contest, f.name) != getattr(usual, f.name)]
    return urlencode({name: text_of(contest, name) for name in changed}, safe=":,()*")


# Study files ----------------------------------------------------------------------------------------------------------


def study_file(contest: Contest, link: str = "", alone: bool = False) -> str:
    """A study file that `allpay run` takes.

    Args:
        contest: the contest.
        link: of the page, which is told in a comment.
        alone: whether this split alone is learned, or many are tried to find the best.

    Raises:
        AllpayError: if something does not fit.
    """
    study_of(contest)
    made = file_of(contest, alone=alone)
    asked = "this split alone" if alone else "which split is best"
    lines = [f"# A contest of `allpay app`: {asked}. Run it by `allpay run FILE`."]
    lines += [f"# {shortened(one_line(link), 2000)}"] if link else []
    for section in ("study", "game", "learner"):
        lines += ["", f"[{section}]", *_lines(getattr(made, section).model_dump(exclude_unset=True))]
    for kind in made.bidders:
        lines += ["", "[[bidders]]", *_lines(kind.model_dump(exclude_unset=True))]
    return "\n".join(lines) + "\n"


def _lines(section: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in section.items()]


def from_study_file(text: str) -> Contest:
    """The contest of a study file: of several designs the first; without any, winner takes all.

    Raises:
        AllpayError: if it is none, or has what the page does not show.
    """
    try:
        made = StudyFile.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError, RecursionError, ValueError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise AllpayError(f"this is no study file: {shortened(one_line(told), 120)}") from None
    if made.study.rule != "prizes" or made.scenario:
        raise AllpayError("this page shows one contest with prizes: run the file by allpay run")
    given = (made.study.designs or [[1.0]])[0]
    table = given if isinstance(given, list) else [given, 1 - given] if isinstance(given, float) else given
    prizes = _prizes(table if isinstance(table, str) else ",".join(plain(x) for x in table if x > 0))
    game = made.game
    many = game.attendance if isinstance(game.attendance, str) else str(made.study.bidders)
    many = Contest.bidders if made.bidders else many  # groups say how many there are
    texts = {
        "bidders": many,
        "groups": "\n".join(group_text(kind) for kind in made.bidders),
        "purse": "" if made.study.money is None else plain(made.study.money),
        "values": SAME if game.values == SAME else game.distribution or Contest.values,
        "luck": game.luck,
        "objective": made.study.objective,
        "learner": made.learner.name,
        **{name: plain(getattr(game, name)) for name in BOUNDS if name != "attendance"},
        "attendance": "1" if isinstance(game.attendance, str) else plain(game.attendance),
    }
    found = Contest(prizes=prizes, **{name: READERS[name](text) for name, text in texts.items()})
    wrong = misfit(found)
    if wrong is not None:
        raise AllpayError(wrong[1])
    return found


def group_text(kind: BidderSection) -> str:
    """The line that describes a kind of bidders, as `study.file.group` reads it.

    >>> group_text(group("8: uniform(0,0.5), cost 2"))
    '8: uniform(0,0.5), cost 2'
    """
    parts = [kind.values]
    given = kind.model_dump(exclude_unset=True)
    parts += [f"{word} {plain(given[name])}" for word, name in WORDS_OF_GROUPS.items() if given.get(name) is not None]
    if kind.overbidding is not None:
        parts.append("overbidding" if kind.overbidding else "no-overbidding")
    parts += [] if kind.attitude is None else [kind.attitude]
    return f"{kind.count}: {', '.join(parts)}"
