"""A study as one file, to be published beside a paper: what was asked, by what it was computed, what came out, and digests.

`pack` writes the archive, `unpacked` reads what is needed to repeat it, `differences` says whether the same bits came out. An
archive may come from anybody: nothing in it is unpacked, and only two of its files are read, each up to a bound.
"""

import json
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from allpay.errors import AllpayError, one_line, short, shortened
from allpay.files import in_shell, read_text, write
from allpay.study.received import outlines_of
from allpay.study.store import (
    MOST_TEXT,
    RESULT,
    SPECIFICATION,
    check_below,
    digest,
    holds_study,
    read_folder,
    result_is_there,
)
from allpay.study.sweep import found_in, read, read_bids
from allpay.versions import DISTRIBUTION, PACKAGES, difference

MANIFEST = "bundle.json"
"""The file of an archive that says what is in it and what came out."""

CITATION, LOCK, NOTE = "CITATION.cff", "requirements.txt", "README.txt"

FORMAT = 1

MOST_MANIFEST = 50_000_000
"""Bytes that the manifest of an archive may have."""

MOST_MEMBERS = 10_000
"""Files that an archive may have."""

MOST_UNPACKED = 2**33
"""Bytes that an archive may say that it unpacks to."""

KEPT = (
    *("summary.txt", "rounds.csv", "rounds.parquet", "bids.csv", "bids.parquet", "designs.csv", "references.json"),
    *("losses.csv", "losses.parquet", "figure.png", "figure.pdf", "figure.svg", "report.html", RESULT),
)
"""The files of a folder that an archive gets, where they are there."""

VOLATILE = ("seconds", "computed", "specification", "optimum")
"""What a stored answer has that is another at each run, or is said elsewhere."""

WHEN = (1980, 1, 1, 0, 0, 0)
"""The time of all files of an archive, so that the same study gives the same archive."""


@dataclass(frozen=True)
class Archive:
    """What an archive says.

    Attributes:
        specification: of the folder, as plain JSON values.
        versions: of what computed it.
        digests: of each column of each table: by study, by `rounds` or `bids`, by column.
        answers: what the folder answers, as plain JSON values.
    """

    specification: dict[str, Any]
    versions: dict[str, str]
    digests: dict[str, dict[str, dict[str, str]]]
    answers: Any


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: int
    versions: dict[str, str] = Field(max_length=100)
    digests: dict[str, dict[str, dict[str, str]]] = Field(max_length=1000)
    answers: Any


def pack(folder: Path, path: Path, authors: Sequence[str] = (), title: str | None = None) -> list[str]:
    """Write a finished study into an archive; the names of its files.

    Args:
        folder: the study's.
        path: the archive, a .zip file.
        authors, title: who is to be cited, and by which title.

    Raises:
        AllpayError: if the folder holds no study, it is not finished, or the archive cannot be written.
    """
    held = read_folder(folder)
    if not result_is_there(folder):
        raise AllpayError(f"the study in {folder} is not finished: allpay resume {in_shell(folder)}")
    if path.suffix.lower() != ".zip":
        raise AllpayError(f"an archive is a .zip file: got {shortened(str(path), 80)}")
    digests, answers = came_out(folder)
    names = {"allpay": DISTRIBUTION, **{package: package for package in PACKAGES}}
    manifest = {"format": FORMAT, "versions": held.versions, "digests": digests, "answers": answers}
    files = {
        SPECIFICATION: held.text().encode(),
        MANIFEST: json.dumps(manifest, indent=1).encode(),
        CITATION: citation(authors, title or f"A study of contest designs: {folder.resolve().name}").encode(),
        LOCK: "".join(f"{names[p]}=={held.versions[p]}\n" for p in names if p in held.versions).encode(),
        NOTE: _note(path.name, held.versions).encode(),
    }
    for below in ("", *outlines_of(held.specification)):
        for name in KEPT:
            place = folder / below / name
            if place.is_file() and not place.is_symlink():
                files[str(PurePosixPath("results", below, name))] = place.read_bytes()

    def fill(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(files.items()):
                member = zipfile.ZipInfo(name, WHEN)
                member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(member, content)

    write(path, fill)
    return sorted(files)


def came_out(folder: Path) -> tuple[dict[str, dict[str, dict[str, str]]], Any]:
    """What a study's folder has learned and answers: digests of the columns of its tables, by study, and its answers."""
    digests = {}
    for name, study in outlines_of(read_folder(folder).specification).items():
        check_below(folder, name)
        found, store = found_in(study, folder / name)
        tables = {"rounds": read(store, found.computed), "bids": read_bids(store, found.computed)}
        digests[name] = {
            kind: {column: digest(table.select(column)) for column in table.columns} for kind, table in tables.items()
        }
    try:
        kept = json.loads(read_text(folder / RESULT, MOST_TEXT))
        answers = [{key: value for key, value in result.items() if key not in VOLATILE} for result in kept["results"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise AllpayError(f"{folder / RESULT} is damaged: allpay resume {in_shell(folder)} writes it again") from None
    compared = kept.get("comparison")
    if isinstance(compared, dict):
        answers.append({key: value for key, value in compared.items() if key not in ("seconds", "versions")})
    return digests, answers


def is_archive(path: Path) -> bool:
    """Whether a file is, or by its name should be, an archive."""
    return path.suffix.lower() == ".zip"


def unpacked(path: Path) -> Archive:
    """What an archive says; nothing of it is written anywhere, and nothing that it names is imported.

    Raises:
        AllpayError: if it is none, has files that lie outside it, links or more than it may, or is damaged.
    """
    name = shortened(str(path), 100)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, name)
            specification = json.loads(_read(archive, SPECIFICATION, MOST_TEXT, name))
            manifest = _Manifest.model_validate(json.loads(_read(archive, MANIFEST, MOST_MANIFEST, name)))
    except AllpayError:
        raise
    except KeyError:
        raise AllpayError(f"{name} is no archive of allpay bundle: it has no {SPECIFICATION} and {MANIFEST}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = shortened(one_line(".".join(map(str, fault["loc"]))), 60)
        raise AllpayError(f"{MANIFEST} of {name} cannot be read: {where}: {fault['msg'].lower()}") from None
    except OSError as error:
        raise AllpayError(f"cannot read {name}: {error.strerror or 'it is no file'}") from None
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError, EOFError, RuntimeError) as error:
        raise AllpayError(f"{name} is damaged, or no archive: {shortened(one_line(str(error)), 100)}") from None
    if manifest.format != FORMAT:
        raise AllpayError(f"{name} was made by another allpay, in format {manifest.format}: this one reads {FORMAT}")
    if not isinstance(specification, dict) or not isinstance(specification.get("specification"), dict):
        raise AllpayError(f"{SPECIFICATION} of {name} holds no study: got {short(specification)}")
    asked = specification["specification"]
    outlines_of(asked)
    return Archive(asked, manifest.versions, manifest.digests, manifest.answers)


def _check_members(archive: zipfile.ZipFile, name: str) -> None:
    """Raise AllpayError unless an archive has plain files in it and below it only, none of them twice, and not too many."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise AllpayError(f"{name} has {len(members):,} files, more than the {MOST_MEMBERS:,} of an archive")
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise AllpayError(f"{name} unpacks to more than {MOST_UNPACKED:,} bytes: it is no archive of allpay")
    seen = set[str]()
    for member in members:
        parts, kind = PurePosixPath(member.filename).parts, stat.S_IFMT(member.external_attr >> 16)
        outside = member.filename.startswith("/") or ".." in parts or "\\" in member.filename or ":" in member.filename
        if outside or "\0" in member.orig_filename:
            raise AllpayError(f"{name} has a file that lies outside it, {short(member.filename)}: do not unpack it")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise AllpayError(f"{name} has a link or a device, {short(member.filename)}: do not unpack it")
        if member.filename in seen:
            raise AllpayError(f"{name} has {short(member.filename)} twice: it is no archive of allpay")
        seen.add(member.filename)


def _read(archive: zipfile.ZipFile, member: str, most: int, name: str) -> str:
    """The text of a file in an archive, whatever it says of its size."""
    with archive.open(member) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise AllpayError(f"{member} of {name} has more than {most:,} bytes: it is no archive of allpay")
    return content.decode("utf-8")


def differences(archive: Archive, folder: Path) -> list[str]:
    """In what a folder that repeats an archive differs from it, in words; nothing if all bits are the same."""
    digests, answers = came_out(folder)
    found = []
    for study in dict.fromkeys([*archive.digests, *digests]):
        old, new = archive.digests.get(study, {}), digests.get(study, {})
        for kind in dict.fromkeys([*old, *new]):
            names = _unlike(old.get(kind, {}), new.get(kind, {}))
            if names:
                found.append(f"{f'{study}: ' if study else ''}{_some(names)} of the {kind}")
    if answers != archive.answers:
        pairs = zip(_plain(archive.answers), _plain(answers), strict=False)
        keys = dict.fromkeys(key for one, other in pairs for key in _unlike(one, other))
        found.append(f"{_some(list(keys) or ['all'])} of the answer")
    return found


def _plain(answers: Any) -> list[dict[str, Any]]:
    """Answers, if they are such."""
    return [each for each in answers if isinstance(each, dict)] if isinstance(answers, list) else []


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]


def _some(names: Sequence[str]) -> str:
    told = [shortened(one_line(name), 30) for name in names[:4]]
    return ", ".join(told) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def verdict(archive: Archive, folder: Path) -> tuple[bool, str]:
    """Whether a folder that repeats an archive has the same bits; and a sentence that says it, and by which versions."""
    found, now = differences(archive, folder), read_folder(folder).versions
    by = difference(now, archive.versions)
    versions = f"; it was repeated by {by}" if by else "; by the same versions on the same kind of processor"
    if not found:
        return True, f"Same bits: all rounds, their bids and the answer are those of the archive{versions}."
    return False, f"Not the same bits: the folder has other numbers in {'; '.join(found[:3])}{versions}."


def new_folder(path: Path, out: Path | None) -> Path:
    """Where an archive is repeated.

    Raises:
        AllpayError: if a finished study is there already, which would be compared without being repeated.
    """
    folder = path.with_suffix("") if out is None else out
    if holds_study(folder) and result_is_there(folder):
        raise AllpayError(
            f"{folder} holds a finished study: name a new folder with --out, so that all is computed again"
        )
    return folder


def citation(authors: Sequence[str], title: str) -> str:
    """How to cite an archive, in the Citation File Format."""
    named = authors or ("(put the names of the authors here)",)
    lines = [
        "cff-version: 1.2.0",
        "message: If you use these results, please cite them, and the software that computed them.",
        "type: dataset",
        f"title: {json.dumps(one_line(title), ensure_ascii=False)}",
        "authors:",
        *(f"  - name: {json.dumps(one_line(author), ensure_ascii=False)}" for author in named),
        "references:",
        "  - type: software",
        "    title: allpay",
        "    abstract: Design all-pay auctions and contests by simulation",
        "    license: Apache-2.0",
        "    authors:",
        "      - name: The allpay developers",
    ]
    return "\n".join(lines) + "\n"


def _note(name: str, versions: Mapping[str, str]) -> str:
    made = ", ".join(f"{key} {value}" for key, value in versions.items())
    return (
        f"A study of contest designs by allpay, to be repeated by\n\n    allpay run {name}\n\n"
        "which computes all of it again in a new folder, and says whether the same bits came out.\n\n"
        f"{SPECIFICATION}     what was asked, with the seed\n"
        f"{LOCK}  the versions that computed it: pip install -r {LOCK}\n"
        f"results/       rounds, bids, designs, figures and the answer\n"
        f"{MANIFEST}    digests of them, against which a repetition is held\n"
        f"{CITATION}   how to cite it\n\n"
        f"Computed by {made}.\n"
    )
