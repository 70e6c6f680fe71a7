"""Every block of README.md and of the pages in docs, run as a reader runs them, slow ones too: `make pages`.

    python .ci/run_docs.py [README.md docs/judge.md …]

Prints a line for each block that was run, then what was left out and why, and a table. The status is 1 if a block failed, or if
what it printed is not what the page says.
"""

import io
import os
import sys
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from documented import PAGES, ROOT, SMALLER, Reader, blocks_of


def main() -> int:
    os.environ["MPLBACKEND"] = "agg"
    pages = [Path(name).resolve() for name in sys.argv[1:]] or PAGES
    rows, failures, left_out = [], 0, []
    for page in pages:
        blocks, name, started = blocks_of(page), page.relative_to(ROOT), time.process_time()
        failed = 0
        with tempfile.TemporaryDirectory() as folder:
            reader = Reader(page, Path(folder), whole=True)
            reader.prepare()
            for block in blocks:
                failed += not tried(reader, block, f"{name}:{block.line}")
        rows.append((name, len(blocks), failed, time.process_time() - started))
        failures += failed
        left_out += [f"{name}: {line}  ({why})" for line, why in reader.left_out]
    print("\nNot run:", *left_out, "\nRun with fewer designs:", sep="\n")
    print(*(f"{part} … {options}  ({why})" for part, (options, why) in SMALLER.items()), sep="\n")
    print(f"\n{'page':<34}{'blocks':>8}{'failed':>8}{'CPU':>10}")
    for name, count, failed, seconds in rows:
        print(f"{name!s:<34}{count:>8}{failed:>8}{seconds:>8.1f} s")
    print(f"{len(rows)} pages, {sum(row[1] for row in rows)} blocks, {failures} failed")
    return min(failures, 1)


def tried(reader: Reader, block, where: str) -> bool:
    started, said = time.process_time(), io.StringIO()
    try:
        with redirect_stderr(said):
            reader.read(block)
    except BaseException as error:  # a program may also exit
        if isinstance(error, KeyboardInterrupt):
            raise
        print(f"FAILED {where}: {type(error).__name__}: {error}\n{said.getvalue()}", flush=True)
        return False
    compared = "" if block.printed is None else ", as the page says"
    print(f"{where}: {block.language}, {time.process_time() - started:.1f} s{compared}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
