"""How soon the live page answers, measured in headless Chromium.

    python benchmarks/page.py [--chromium /usr/bin/chromium] [--changes 20]

Prints the seconds from the start of `allpay app` to the first answer in the browser, and the milliseconds from the move of a
slider to the new answer, where theory has a formula and where a solver answers. Needs `allpay[app]` and Playwright.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from typing import Any

from playwright.sync_api import sync_playwright

TELLS = "document.querySelector('[data-told=revenue]')?.innerText.match(/[0-9]/)"

CHANGE = """async ([name, value]) => {
    const slider = document.querySelector(`[data-range=${name}]`), told = document.querySelector('[data-told=revenue]');
    const before = told.innerText, start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (told.innerText === before && performance.now() - start < 120000) await new Promise(done => setTimeout(done, 1));
    return performance.now() - start;
}"""


def served(port: int) -> "subprocess.Popen[bytes]":
    program = subprocess.Popen([sys.executable, "-m", "allpay", "app", "--no-browser", "--port", str(port)])
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
            return program
        except OSError:
            if program.poll() is not None:
                raise SystemExit("the page does not start") from None
            time.sleep(0.02)


def changes(page: Any, name: str, values: list[float]) -> list[float]:
    return [page.evaluate(CHANGE, [name, value]) for value in values]


def told(what: str, took: list[float]) -> None:
    print(
        f"{what}: median {statistics.median(took):.0f} ms, from {min(took):.0f} to {max(took):.0f}, {len(took)} changes"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--changes", type=int, default=20)
    given = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        start = time.perf_counter()
        program = served(port)
        up = time.perf_counter() - start
        try:
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_function(TELLS)
            print(
                f"first answer: {time.perf_counter() - start:.1f} s after the start, of which the server took {up:.1f} s"
            )
            values = [1 + 0.1 * (k % 15) for k in range(1, given.changes + 1)]
            told("a change that theory answers", changes(page, "cost_power", values))
            page.goto(f"http://127.0.0.1:{port}/?luck=normal(0.2)")
            page.wait_for_function(TELLS)
            told("the first change that a solver answers", changes(page, "cost_power", [2.0]))
            told("a change that a solver answers", changes(page, "cost_power", values[: given.changes // 2]))
        finally:
            program.terminate()
            program.wait()
            browser.close()


if __name__ == "__main__":
    main()
