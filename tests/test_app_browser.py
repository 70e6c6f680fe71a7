"""The live page end to end, in headless Chromium: load, move, learn, stop, export, reload from the link, a bad value, axe.

Skipped where Playwright or a Chromium is missing. `ALLPAY_CHROMIUM` names one that is elsewhere.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from allpay.study.file import read_file

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytest.importorskip("nicegui")

CHROMIUM = os.environ.get("ALLPAY_CHROMIUM", "/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium")

PATIENCE = 60_000
"""Milliseconds for what takes less than one where the machine is free."""

CHANGE = """async (value) => {
    const slider = document.querySelector('[data-range=cost_power]'), told = document.querySelector('[data-told=revenue]');
    const before = told.innerText, start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (told.innerText === before && performance.now() - start < 30000) await new Promise(done => setTimeout(done, 2));
    return performance.now() - start;
}"""
"""Move a slider, and wait until the page tells another effort; the milliseconds that took."""


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = [sys.executable, "-m", "allpay", "app", "--no-browser", "--port", str(port)]
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # NiceGUI looks for it
    program = subprocess.Popen(served, env=env, stderr=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}/"
    for _ in range(600):
        try:
            urllib.request.urlopen(address).close()
            break
        except OSError:
            assert program.poll() is None, program.communicate()[1]
            time.sleep(0.1)
    yield address
    program.terminate()
    _, said = program.communicate(timeout=20)
    assert "Traceback" not in said
    assert program.returncode == 143


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def told(page, what):
    return page.locator(f"[data-told={what}]")


def wait_for(page, what, text):
    playwright.expect(told(page, what)).to_contain_text(text, timeout=PATIENCE)


def test_a_visit_from_the_first_look_to_the_study_file(address, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    wait_for(page, "revenue", "0.5")  # three prizes for five bidders
    wait_for(page, "loses", "25")
    wait_for(page, "method", "By theory")

    took = sorted(page.evaluate(CHANGE, value) for value in (1.5, 2, 2.5, 3, 2))
    print(f"a change takes {took[len(took) // 2]:.0f} ms in the browser, in the middle of {len(took)}")
    page.wait_for_url("**cost_power=2")

    page.get_by_label("Prize of rank 1").focus()  # by keyboard
    page.keyboard.press("End")
    playwright.expect(page.get_by_label("Prize of rank 1")).to_have_value("100", timeout=PATIENCE)
    wait_for(page, "revenue", "1.28")
    page.wait_for_url("**prizes=1,0,0**")

    box = page.locator("input[data-box=bidders]")
    box.fill("1")
    alert = page.get_by_text("bidders must be from 2 to 200 on this page: got 1")
    playwright.expect(alert).to_be_visible(timeout=PATIENCE)
    box.fill("4")
    playwright.expect(alert).to_be_hidden(timeout=PATIENCE)
    page.wait_for_url("**bidders=4**")

    page.get_by_role("button", name="Let bidders learn").click()
    page.get_by_role("button", name="Stop").click()
    playwright.expect(page.get_by_text("Stopped")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("button", name="Study file").click()
    with page.expect_download() as download:
        page.get_by_text("Which split is best?").click()
    download.value.save_as(tmp_path / "contest.toml")
    study = read_file(tmp_path / "contest.toml", trust=False)
    assert (study.bidders, study.setting.cost_power) == (4, 2)

    link, effort = page.url, told(page, "revenue").inner_text()
    page.goto(f"{link}&learner=level-k")
    wait_for(page, "revenue", effort)
    playwright.expect(page.locator("input[data-box=cost_power]")).to_have_value("2", timeout=PATIENCE)

    page.get_by_role("button", name="Let bidders learn").click()
    playwright.expect(page.get_by_text("3 of 3 rounds")).to_be_visible(timeout=PATIENCE)
    check_by_axe(page)

    page.get_by_role("button", name="Open a file").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "contest.toml")
    playwright.expect(page.get_by_text("shows the contest of this file")).to_be_visible(timeout=PATIENCE)
    assert wrong == []
    page.close()


def test_a_phone_in_the_dark_and_a_link_with_a_bad_part(address, browser):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.goto(f"{address}?bidders=x&groups=1:+uniform(0,1),+cost+2%0A1:+uniform(0,0.5)&prizes=1")
    wait_for(page, "method", "By a quick solver")
    playwright.expect(page.get_by_text("got 'x'")).to_be_visible(timeout=PATIENCE)
    check_by_axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390  # nothing is cut off
    assert page.locator("[data-range^=prize]").count() == 1
    page.close()


def check_by_axe(page):
    """Nothing that axe knows of keeps somebody out, and every slider has a name."""
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []
    for slider in page.locator("input[type=range]").all():
        assert slider.get_attribute("aria-label")
