"""What was understood of a table of past contests, in words."""

from allpay.contest.amounts import runs_in_words
from allpay.errors import printable, shortened
from allpay.estimate.past import Contests, Read
from allpay.estimate.tables import SEPARATORS
from allpay.scalars import numeral

MOST_NAMED = 6
"""So many columns that are not used are named."""


def read_in_words(found: Contests, told: Read) -> str:
    """A few sentences for whoever gave the table, to see that it was read rightly."""
    sentences = [_contests(told), _columns(told), _prizes(found, told), *_bids(told), *_left_out(told)]
    return printable(" ".join(sentences))


def _contests(told: Read) -> str:
    each = f"{told.fewest:,} bidders each" if told.fewest == told.most else f"{told.fewest:,} to {told.most:,} bidders"
    names = "" if told.people is None else f", of {_of(told.people, 'different name')}"
    text = f"{told.contests:,} contests with {each} ({told.bidders:,} in all{names}) were read from {told.file}."
    if told.separator:
        decimals = ", with decimal commas" if told.decimal == "," else ""
        text += f" Its cells are separated by {SEPARATORS[told.separator]}{decimals}."
    return text


def _columns(told: Read) -> str:
    def name(text: str) -> str:
        return f"“{shortened(text, 30)}”"

    taken = []
    for role, columns in told.columns:
        several = f"{name(columns[0])} to {name(columns[-1])}" if len(columns) > 2 else " and ".join(map(name, columns))
        what = {"prize": "what each bidder won", "bid": "bids" if told.wide else "the bid"}.get(role, f"the {role}")
        if role == "prize" and (told.wide or len(columns) > 1):
            what = "the prizes by rank"
        taken.append(f"{what} from {several}")
    text = f"Taken: {', '.join(taken)}."
    if told.unused:
        more = f" and {len(told.unused) - MOST_NAMED:,} more" if len(told.unused) > MOST_NAMED else ""
        text += f" Not used: {', '.join(map(name, told.unused[:MOST_NAMED]))}{more}."
    return text


def _prizes(found: Contests, told: Read) -> str:
    table, count = found.tables[0]
    amounts = runs_in_words([numeral(x, 12) for x in table])
    if told.tables == 1:
        return f"All contests have the same prizes: {amounts}."
    return f"There are {told.tables:,} tables of prizes; the most frequent, in {_of(count, 'contest')}, is {amounts}."


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _bids(told: Read) -> list[str]:
    said = []
    if told.absent:
        cells = "cells of bids are" if told.wide else "bids are"
        said.append(f"Where {cells} empty or n/a, {told.absent:,} in all, a bidder is taken as registered and absent.")
    if told.all_won:
        said.append(
            f"In {_of(told.all_won, 'contest')} with absent bidders all others won: if more prizes were announced, give them "
            "in columns prize_1, prize_2, …."
        )
    counts = {
        "bids of 0": told.zeros,
        "that tie": told.ties,
        "at the cap": told.at_cap,
        "without a rank": told.unranked,
    }
    listed = [f"{what}: {count:,}" for what, count in counts.items() if count]
    if listed:
        text = "; ".join(listed)
        said.append(f"{'B' if told.zeros else 'Bids '}{text[1:] if told.zeros else text}.")
    if told.step:
        half = numeral(told.step / 2, 3)
        said.append(
            f"Bids are recorded in steps of {numeral(told.step, 3)}, so what was bid may be up to {half} more or less."
        )
    return said


def _left_out(told: Read) -> list[str]:
    return [f"{_of(told.alone, 'contest')} with one bidder each left out."] if told.alone else []
