"""What a Parquet file says of itself, read before anything of it is unpacked: a small file may unpack to gigabytes.

Its footer and the headers of its pages are structures of Thrift's compact protocol (github.com/apache/parquet-format).
"""

from dataclasses import dataclass
from typing import Any

MAGIC = b"PAR1"

DEEPEST = 16
"""So many structures lie inside each other at most."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        rows: how many it has.
        columns: how many of these.
        size: bytes that its pages unpack to, by their own headers or by the footer, whichever says more.
        metadata: texts by name.
    """

    rows: int
    columns: int
    size: int
    metadata: dict[str, str]


def header(data: bytes) -> Header:
    """What the bytes of a file say of it.

    Raises:
        ValueError: if they are no such file.
    """
    try:
        if len(data) < 12 or data[:4] != MAGIC or data[-4:] != MAGIC:
            raise ValueError("no Parquet file")
        length = int.from_bytes(data[-8:-4], "little")
        if length > len(data) - 12:
            raise ValueError("its footer is longer than the file")
        footer = _Reader(data, len(data) - 8 - length).structure()
        size, most = 0, 0
        for group in footer[4]:
            for chunk in group[1]:
                described = chunk[3]
                if 1 in chunk:
                    raise ValueError("its columns lie in another file")
                size += described[6]
                most = max(most, described[5])
                size += max(0, _pages(data, described) - described[6])
        texts = {pair[1].decode(): pair[2].decode() for pair in footer.get(5, []) if 2 in pair}
        rows = max(footer[3], most)
        if rows < 0:
            raise ValueError("a negative number of rows")
        return Header(rows, sum(5 not in element for element in footer[2]), size, texts)
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"no whole Parquet file ({type(error).__name__})") from None


def _pages(data: bytes, chunk: dict[int, Any]) -> int:
    """Bytes that the pages of a column unpack to, by their headers."""
    first = min(offset for offset in (chunk[9], chunk.get(11, 0)) if offset > 0)
    end, place, size = first + chunk[7], first, 0
    while place < end:
        reader = _Reader(data, place)
        page = reader.structure()
        values = max((page[kind][1] for kind in (5, 7, 8) if kind in page), default=0)
        if page[3] < 0 or page[2] < 0 or values > max(chunk[5], len(data)):
            raise ValueError("a page that cannot be")
        size += page[2]
        place = reader.place + page[3]
    return size


class _Reader:
    """Reads structures of the compact protocol, as dictionaries by the numbers of their fields."""

    def __init__(self, data: bytes, place: int):
        self.data, self.place = data, place

    def byte(self) -> int:
        found = self.data[self.place]
        self.place += 1
        return found

    def number(self) -> int:
        """A whole number ≥ 0, seven bits a byte."""
        found = shift = 0
        while shift < 70:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7
        raise ValueError("a number without end")

    def signed(self) -> int:
        found = self.number()
        return (found >> 1) ^ -(found & 1)

    def structure(self, depth: int = 0) -> dict[int, Any]:
        if depth > DEEPEST:
            raise ValueError("structures without end")
        fields: dict[int, Any] = {}
        name = 0
        while kind := self.byte():
            name = name + (kind >> 4) if kind >> 4 else self.signed()
            fields[name] = kind & 15 == 1 if kind & 15 in (1, 2) else self.value(kind & 15, depth)
        return fields

    def value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self.byte()
            case 4 | 5 | 6:
                return self.signed()
            case 7:
                self.place += 8
                return None
            case 8:
                length = self.number()
                found = self.data[self.place : self.place + length]
                self.place += length
                return found
            case 9 | 10:
                size = self.byte()
                inner, length = size & 15, size >> 4
                length = self.number() if length == 15 else length
                if length > len(self.data):
                    raise ValueError("a list longer than the file")
                return [self.value(inner, depth + 1) for _ in range(length)]
            case 12:
                return self.structure(depth + 1)
        raise ValueError("an unknown kind of value")
