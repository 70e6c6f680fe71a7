"""What is seen: sliders and boxes on one side, answers and bidders who learn on the other. On NiceGUI.

The page computes nothing itself, and imports nothing that does. Every change goes to a process that reads it and answers by
theory or by a quick solver; while that computes, only the latest change waits. The best split is a second answer from a second
process; bidders learn in a third, of each visitor's own, which is stopped by a button.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import Client, app, background_tasks, events, html, ui

from allpay.app.labels import FORMS, LEARNERS, LUCK, NAMES, VALUES, told_prizes
from allpay.app.split import dragged, equal, resized
from allpay.app.state import BOUNDS, MOST_BYTES, MOST_PRIZES, Answer, Best, Contest, Frame, Line, Read, text_of
from allpay.app.worker import Desk, Stopped, Worker

PATIENCE = 90.0
"""Seconds after which an answer is given up: the first time code is compiled, which takes a while."""

MOST_LEARNING = 3
"""So many visitors may let bidders learn at the same time."""

THROTTLE = 0.04
"""Seconds between two changes of a slider that is moved."""

COLOURS = ("#2f7fd6", "#d9822b", "#2e9e6b", "#b45bd0", "#c94f4f", "#7a8797")

OWN = "write it yourself …"

TOO_LARGE = "This file is not a .toml, .csv, .tsv or .txt of 5 MB at most."

LOOK = Path(__file__).with_name("look.css")


class Latest:
    """Does one thing after another; of those that wait only the latest is done."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do, self._again, self._running = do, False, False

    async def __call__(self) -> None:
        self._again = True
        if self._running:
            return
        self._running = True
        try:
            while self._again:
                self._again = False
                await self._do()
        finally:
            self._running = False


class Page:
    """One visitor's page."""

    def __init__(self, desk: Desk, asked: dict[str, str]) -> None:
        self.desk, self.contest, self.pending = desk, Contest(), asked
        self.number, self.query = 5, ""
        self.read = self.contest
        self.wrong: dict[str, str] = {}
        self.typed: dict[str, str] = {}  # what is wrong, as it was written
        self.answer: Answer | None = None
        self.best: Best | None = None
        self.told_beside: list[tuple[str, str, str]] = []
        self.trace: list[Frame] = []
        self.learner: Worker | None = None
        self.boxes: dict[str, Any] = {}
        self.ranges: dict[str, Any] = {}
        self.choices: dict[str, Any] = {}
        self.first, self.second = Latest(self._answer), Latest(self._best)
        self.client: Client = ui.context.client
        self.build()
        self.show_contest()

    # Changes ----------------------------------------------------------------------------------------------------------

    async def change(self, name: str, text: Any) -> None:
        """A box or a slider says something else, which is read where it is answered."""
        text = "" if text is None else str(text)
        if text == self.pending.get(name, self.typed.get(name, text_of(self.contest, name))):
            return  # it says what the page has said
        self.pending[name] = text
        self.stop()
        await self.first()

    async def become(self, contest: Contest) -> None:
        """The page shows another contest."""
        self.contest, self.pending, self.wrong, self.typed = contest, {}, {}, {}
        self.stop()
        self.show_contest()
        await self.first()

    async def split(self, prizes: tuple[float, ...], moved: int | None = None) -> None:
        """Prizes are moved, which is seen at once."""
        self.contest = replace(self.contest, prizes=prizes)
        self.wrong.pop("prizes", None)
        self.typed.pop("prizes", None)
        self.stop()
        self.show_prizes(moved)
        await self.first()

    async def _answer(self) -> None:
        asked, changes = self.contest, self.pending
        self.pending = {}
        async with self.patiently(self.desk.quick):
            async for found in self.desk.quick.stream("answers.read", asked, changes):
                if isinstance(found, Read):
                    self.understand(asked, changes, found)
                elif self.contest == self.read and not self.pending:
                    self.answer, self.best = found, None
                    self.show_answer()
                    ui.run_javascript(f"history.replaceState(null, '', {self.link()!r})")
                    background_tasks.create(self._within(self.second))

    def understand(self, asked: Contest, changes: dict[str, str], found: Read) -> None:
        """What was read becomes what the page shows, but for what was changed meanwhile."""
        read = found.contest
        new = {
            f.name: getattr(read, f.name) for f in fields(Contest) if getattr(read, f.name) != getattr(asked, f.name)
        }
        self.contest = replace(self.contest, **new)
        self.read, self.number, self.query = read, found.number, found.query
        typed = self.typed | changes
        kept = {name: text for name, text in self.wrong.items() if name in self.typed and name not in changes}
        self.wrong = kept | found.wrong
        self.typed = {name: text for name, text in typed.items() if name in self.wrong}
        self.trace = []
        self.show_contest()

    async def _best(self) -> None:
        asked = self.contest
        async with self.patiently(self.desk.second):
            found = await self.desk.second.ask("answers.best", asked)
            if asked == self.contest:
                self.best = found
                self.show_answer()

    async def _within(self, do: Callable[[], Any]) -> None:
        with self.client:
            await do()

    @asynccontextmanager
    async def patiently(self, worker: Worker) -> AsyncIterator[None]:
        """While this lasts a computation may take so long and no longer, and what goes wrong in it is told."""
        end = asyncio.get_running_loop().call_later(PATIENCE, worker.stop)
        try:
            yield
        except Stopped:
            self.tell_failure("This took too long and was stopped: take fewer bidders.")
        except ValueError as error:
            self.tell_failure(str(error))
        finally:
            end.cancel()

    def tell_failure(self, text: str) -> None:
        self.badge.set_text(text)
        self.badge.classes(add="wrong")

    def link(self) -> str:
        return f"/?{self.query}" if self.query else "/"

    # Learning ---------------------------------------------------------------------------------------------------------

    async def learn(self) -> None:
        """Let bidders learn, and show it as it goes; or stop them."""
        if self.learner is not None:
            self.stop()
            return
        if len(self.desk.learning) >= MOST_LEARNING:
            ui.notify("Bidders of other visitors are learning: try again in a moment.")
            return
        worker = self.learner = Worker()
        self.desk.learning.add(worker)
        self.trace = []
        self.learn_button.set_text("Stop")
        self.progress.set_visibility(True)
        self.verdict.set_text("Bidders begin to learn …")
        asked = self.contest
        try:
            async for frame in worker.stream("learning.frames", asked):
                if self.learner is not worker:
                    break
                self.trace.append(frame)
                self.show_learning()
            else:
                self.verdict.set_text(self.trace[-1].sentence or "")
        except Stopped:
            told = "" if not self.trace else f" after {self.trace[-1].iterations or 0:,} iterations"
            self.verdict.set_text(f"Stopped{told}.")
        except ValueError as error:
            self.verdict.set_text(f"These bidders cannot learn this contest: {error}")
        finally:
            worker.close()
            self.desk.learning.discard(worker)
            if self.learner in (worker, None):
                self.learner = None
                self.learn_button.set_text("Let bidders learn")

    def stop(self) -> None:
        """Stop bidders who learn."""
        if self.learner is not None:
            worker, self.learner = self.learner, None
            worker.stop()

    # Showing ----------------------------------------------------------------------------------------------------------

    def show_contest(self) -> None:
        """Boxes and sliders say what the contest is."""
        for name, box in self.boxes.items():
            if name not in self.pending:
                box.set_value(self.typed.get(name, text_of(self.contest, name)))
            box.error = self.wrong.get(name)
        for name, slider in self.ranges.items():
            _place(slider, self.place_of(name))
        for name, (select, own) in self.choices.items():
            select.set_value(self.preset(name))
            own.set_visibility(select.value == OWN)
        self.strength.set_visibility(self.place_of("strength") is not None)
        self.choice_of_learner.set_value(self.contest.learner)
        self.show_prizes()
        self.unfit.set_text(self.wrong.get("", ""))
        self.unfit.set_visibility("" in self.wrong)

    def place_of(self, name: str) -> float | None:
        """Where a slider stands."""
        if name == "strength":
            found = re.fullmatch(r"\w+\(([\d.]+)\)", self.contest.luck)
            return float(found[1]) if found else None
        return float(self.number if name == "bidders" else getattr(self.contest, name))

    def show_prizes(self, moved: int | None = None) -> None:
        """The prizes; the one that the hand moves just now is left where it is."""
        shares = self.contest.prizes
        if len(shares) != len(self.prizes):
            self.build_prizes()
        told = told_prizes(shares, self.contest.purse)
        for k, (slider, output) in enumerate(self.prizes):
            output.set_text(told[k])
            slider.props["aria-valuetext"] = told[k]
            _place(slider, round(100 * shares[k], 2), send=k != moved)

    def show_answer(self) -> None:
        found, best = self.answer, self.best
        if found is None:
            return
        self.headline.set_text(found.words["headline"] if best is None else best.words["headline"])
        self.badge.set_text(found.words["method"])
        self.badge.classes(remove="wrong solver", add="" if found.method == "theory" else "solver")
        self.unit.set_text(found.words["unit"])
        for text, much in self.tiles.items():
            much.set_text(found.words.get(text, "–"))
        self.loses.set_text("…" if best is None else best.words["loses"])
        self.best_split.set_text("looking for the best split" if best is None else best.words["split"])
        self.take.set_enabled(best is not None and best.loss > 0 and len(best.prizes) <= MOST_PRIZES)
        if best is not None:
            top = max(*best.worth.values(), 1e-12)
            for name, (fill, number) in self.bars.items():
                fill.style(f"width: {100 * max(best.worth[name], 0.0) / top:.1f}%")
                number.set_text(best.words[name])
            self.bars_title.set_text(best.words["objective"])
            self.show_beside(best.prizes)
        self.show_bids()

    def show_beside(self, best: tuple[float, ...]) -> None:
        """Each prize of this split beside that of the best one."""
        yours, purse = self.contest.prizes, self.contest.purse
        rows = max(len(yours), len(best))
        mine, theirs = (told_prizes((*split, *(0.0,) * (rows - len(split))), purse) for split in (yours, best))
        cells = [
            ("rank", "yours", "best"),
            *zip(map(ordinal, range(min(rows, MOST_PRIZES))), mine, theirs, strict=False),
        ]
        if self.told_beside == cells:
            return
        self.told_beside = cells
        self.beside.clear()
        with self.beside:
            for k, row in enumerate(cells):
                for text in row:
                    ui.label(text).classes("hint" if k == 0 else "")
            if rows > MOST_PRIZES:
                ui.label(f"and {rows - MOST_PRIZES} more").classes("hint")

    def show_bids(self) -> None:
        """Bids under this split, under the best one, and those that bidders have learned."""
        found = self.answer
        if found is None:
            return
        drawn: list[tuple[str, tuple[Line, ...], str, int]] = [("your split", found.lines, "solid", 0)]
        if self.best is not None and self.best.loss > 0 and self.best.answer.by_value == found.by_value:
            drawn.append(("best split", self.best.answer.lines, "dashed", 2))
        if self.trace and self.trace[-1].by_value == found.by_value:
            drawn.append(("learned", self.trace[-1].lines, "dotted", 1))
        series = []
        for name, lines, dashes, colour in drawn:
            alone = len(lines) == 1
            for k, line in enumerate(lines):
                called = name if alone else f"{line.name}, {name}"
                series.append(_line(line, COLOURS[colour if alone else k], called, dashes))
        options = self.bids.options
        options["xAxis"]["name"] = "value of the bidder" if found.by_value else "part of bids that are lower"
        options["series"] = series
        options["legend"]["data"] = [line["name"] for line in series]
        self.bids.update()

    def show_learning(self) -> None:
        frames, options = self.trace, self.progress.options
        rounds = len(frames[0].gain)
        at = [frame.iterations or 1 for frame in frames]
        options["series"] = [
            {
                "type": "line",
                "name": f"round {r + 1}",
                "showSymbol": len(frames) < 3,
                "color": COLOURS[r],
                "data": [[t, max(100 * frame.gain[r], 1e-6)] for t, frame in zip(at, frames, strict=True)],
            }
            for r in range(rounds)
        ]
        self.progress.update()
        last = frames[-1]
        mean = sum(last.revenue) / rounds
        verdicts = ", ".join(dict.fromkeys(last.verdicts))
        many = "" if last.iterations is None else f"after {last.iterations:,} iterations "
        self.state.set_text(f"{many}total effort {mean:.3g}; {verdicts}")
        self.bar.set_value(round(last.part, 3))
        self.show_bids()

    # Building ---------------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """All that there is on the page."""
        ui.page_title("allpay: what does a contest bring?")
        ui.add_css(LOOK.read_text(encoding="utf-8"))
        ui.colors(primary="#0f5fb8")
        with html.header().classes("top"):
            html.h1("What does a contest bring?")
            html.p("Change anything: bids, effort and the best split follow at once.")
            with html.nav().props('aria-label="The contest as a file or a link"').classes("row").style("margin: 0"):
                ui.button("Copy link", on_click=self.copy_link).props("flat dense no-caps").classes("quiet q-px-sm")
                with ui.button("Study file").props("flat dense no-caps").classes("quiet q-px-sm"), ui.menu():
                    ui.menu_item("Which split is best? Try 50 of them", lambda: self.export(False))
                    ui.menu_item("Learn this split alone", lambda: self.export(True))
                ui.button("Open a file", on_click=self.open_dialog).props("flat dense no-caps").classes("quiet q-px-sm")
                ui.button(icon="contrast", on_click=lambda: ui.run_javascript("Quasar.Dark.toggle()")).props(
                    'flat dense round aria-label="Light or dark"'
                ).classes("quiet")
        with html.div().classes("house"):
            with html.div().classes("pile controls"):
                self.build_controls()
            with html.div().classes("pile answers"):
                self.build_answers()
        self.build_dialog()

    def build_controls(self) -> None:
        with _card("Prizes"):
            self.board = html.div().classes("board")
            self.prizes: list[tuple[Any, Any]] = []
            with html.div().classes("row"):
                self._quiet("−", "One prize fewer", lambda: self.resize(-1))
                self._quiet("+", "One prize more", lambda: self.resize(1))
                self._quiet("Winner takes all", None, lambda: self.split((1.0,)))
                self._quiet("Equal", None, lambda: self.split(equal(len(self.contest.prizes))))
                self.take = self._quiet("Best", "Take the best split", self.take_best)
            with html.div().classes("row").style("flex-wrap: nowrap; align-items: start"):
                self._box("prizes", "Or write them: 50% 30% 20%").classes("col")
                self._box("purse", "Purse").style("width: 7.5rem")
        with _card("Who competes"):
            self._dial("bidders", "Bidders", "or how many may turn up: 3:8", (2, 50, 1))
            self._choice("values", "How much they want to win", VALUES)
            self._dial("attendance", "Chance to turn up", "of each bidder", (*BOUNDS["attendance"], 0.01))
            with ui.expansion("Bidders who differ").props("dense dense-toggle").classes("q-mt-sm"):
                self._box("groups", "A line for each kind", area=True)
                html.p(
                    "As 2: uniform(0,1) and below it 8: uniform(0,0.5), cost 2. They take the place of what is said above."
                ).classes("hint")
        with _card("Rules and people"):
            self._choice("luck", "Luck", LUCK)
            self.strength = html.div().classes("dial")
            with self.strength:
                html.span("How much of it").classes("name")
                html.span("")
                self.ranges["strength"] = self._range(
                    "strength", "How much luck", (0.02, 2, 0.02), self.change_strength
                )
            self._dial("cost_power", "Cost of effort", "power p: a bid b costs b^p", (0.5, 4, 0.05))
            self._dial("risk_aversion", "Risk aversion", "0 is none", (0, 5, 0.1))
            self._dial("reserve", "Reserve", "lower bids do not count", (0, 1, 0.01))
            self._dial("fee", "Entry fee", "what a bid costs that counts", (0, 0.5, 0.01))
        with _card("What is it to be good for?"):
            self._choice("objective", "Objective", FORMS)

    def build_answers(self) -> None:
        with html.section().classes("card first"):
            self.headline = ui.label("…").classes("headline").props("aria-live=polite data-told=headline")
            self.badge = ui.label("Starting …").classes("badge").props("data-told=method")
            self.unfit = ui.label("").classes("badge wrong").props("role=alert data-told=unfit")
            with html.div().classes("tiles"):
                self.tiles = {}
                for text, name in NAMES.items():
                    with html.div().classes("tile"):
                        ui.label(name.capitalize()).classes("what")
                        self.tiles[text] = ui.label("–").classes("much").props(f"data-told={text}")
                with html.div().classes("tile loses"):
                    ui.label("Your split loses").classes("what")
                    self.loses = ui.label("…").classes("much").props("data-told=loses")
                    self.best_split = ui.label("").classes("more")
            self.unit = ui.label("").classes("hint q-mt-sm")
        with html.div().classes("two"):
            with html.section().classes("card"):
                html.h2("What each bids")
                self.bids = (
                    ui.echart(_chart("value of the bidder", "bid"))
                    .classes("chart")
                    .props('role=img aria-label="Chart of bids"')
                )
            with html.section().classes("card"):
                with html.h2():
                    self.bars_title = ui.label("Total effort by split")
                self.bars = {}
                with html.div().classes("bars"):
                    for name, label in (
                        ("yours", "your split"),
                        ("best", "best split"),
                        ("winner takes all", "winner takes all"),
                        ("equal prizes", "equal prizes"),
                    ):
                        with html.div().classes(f"bar {name.split()[0]}"):
                            ui.label(label)
                            with html.div().classes("track"):
                                fill = html.div().classes("fill").style("width: 0")
                            number = ui.label("").classes("number")
                        self.bars[name] = (fill, number)
                with html.h2().style("margin-top: 1.1rem"):
                    ui.label("Prizes, yours and the best")
                self.beside = html.div().classes("beside")
        with html.section().classes("card"):
            html.h2("Let bidders learn")
            with html.div().classes("learn"):
                self.choice_of_learner = ui.select(
                    LEARNERS,
                    label="How they learn",
                    value=self.contest.learner,
                    on_change=lambda e: self.change("learner", e.value),
                ).props("outlined options-dense")
                self.learn_button = (
                    ui.button("Let bidders learn", on_click=self.learn).props("unelevated no-caps").classes("strong")
                )
                self.bar = (
                    ui.linear_progress(0, show_value=False)
                    .props('rounded aria-label="How far learning is"')
                    .style("flex: 1 1 8rem; max-width: 16rem; color: var(--accent)")
                )
                self.state = ui.label("").classes("hint")
            self.verdict = (
                ui.label(
                    "Three rounds begin with random bids. The dotted line among the bids is what the first has learned."
                )
                .classes("hint q-mt-sm")
                .props("aria-live=polite")
            )
            self.progress: Any = (
                ui.echart(_chart("iterations", "a bidder could gain, % of top prize", logarithmic=True))
                .classes("chart")
                .props('role=img aria-label="Chart of what bidders could still gain as they learn"')
            )

        self.progress.set_visibility(False)

    def build_prizes(self) -> None:
        self.board.clear()
        self.prizes.clear()
        many = len(self.contest.prizes)
        self.board.classes(add="ten" if many > 6 else "", remove="" if many > 6 else "ten")
        with self.board:
            for k in range(many):
                with html.div().classes("rank"):
                    output = ui.label("").classes("much")
                    slider = self._range(
                        f"prize {k}",
                        f"Prize of rank {k + 1}, percent of the purse",
                        (0, 100, 0.5),
                        partial(self.drag, k),
                    )
                    html.span(ordinal(k)).classes("place")
                self.prizes.append((slider, output))

    def build_dialog(self) -> None:
        with ui.dialog() as self.dialog, ui.card().style("max-width: 34rem"):
            html.h2("Open a file").style("font-size: 1.05rem; line-height: 1.4")
            html.p(
                "A study file (.toml), which is shown here; or a table of past contests (.csv) with a row for each bid: the "
                "values that explain the bids become those of this page. The file is read as data, and stays on this machine."
            ).classes("hint")
            self.upload = (
                ui.upload(
                    label="Choose a file, 5 MB at most",
                    auto_upload=True,
                    max_files=1,
                    max_file_size=MOST_BYTES,
                    on_upload=self.open_file,
                    on_rejected=self.refuse_file,
                )
                .props('flat bordered accept=".toml,.csv,.tsv,.txt"')
                .style("width: 100%")
            )
            self.told_file = ui.label("").classes("hint").props("role=status")
            ui.button("Close", on_click=self.dialog.close).props("flat no-caps").classes("quiet")

    # Parts ------------------------------------------------------------------------------------------------------------

    def _quiet(self, text: str, label: str | None, do: Callable[[], Any]) -> Any:
        button = ui.button(text, on_click=do).props("flat dense no-caps").classes("quiet q-px-sm")
        return button if label is None else button.props(f'aria-label="{label}"')

    def _box(self, name: str, label: str | None = None, spoken: str = "", area: bool = False) -> Any:
        """A box for one part of the contest; without a label in sight it has one that is spoken."""
        kind = ui.textarea if area else ui.input
        box = kind(label, on_change=lambda e: self.change(name, e.value)).props(
            f"outlined debounce=300 hide-bottom-space maxlength=300 data-box={name}"
        )
        self.boxes[name] = box if label is not None else box.props(f'aria-label="{spoken}"')
        return box

    def _range(self, name: str, label: str, bounds: tuple[float, float, float], do: Callable[[str], Any]) -> Any:
        low, high, step = bounds
        slider = html.input_().props(
            f'type=range min={low:g} max={high:g} step={step:g} aria-label="{label}" data-range="{name}"'
        )
        slider.on("input", lambda e: do(str(e.args)), throttle=THROTTLE, js_handler="(e) => emit(e.target.value)")
        slider.on("change", self.show_contest, js_handler="() => emit()")  # it goes where it can be
        return slider

    def _dial(self, name: str, label: str, hint: str, bounds: tuple[float, float, float]) -> None:
        """A number, by a box and by a slider."""
        with html.div().classes("dial"):
            with html.span().classes("name"):
                html.span(label)
                html.small(hint)
            self._box(name, spoken=label)
            self.ranges[name] = self._range(name, f"{label}, slider", bounds, lambda text: self.change(name, text))

    def _choice(self, name: str, label: str, presets: Mapping[str, str]) -> None:
        """One of a list, or a text of one's own."""

        async def chosen(e: events.ValueChangeEventArguments) -> None:
            if e.value == self.preset(name):
                return
            own.set_visibility(e.value == OWN)
            if e.value != OWN:
                await self.change(name, e.value)

        select = (
            ui.select({**presets, OWN: OWN}, label=label, on_change=chosen, value=next(iter(presets)))
            .props(f"outlined options-dense data-choice={name}")
            .classes("q-mt-sm full-width")
        )
        own = self._box(name, f"{label}: in its own form").classes("q-mt-sm full-width")
        self.choices[name] = (select, own)

    def preset(self, name: str) -> str:
        """Which entry of a list the contest has: that of its text, or of its kind of luck; or its own."""
        text, listed = text_of(self.contest, name), self.choices[name][0].options
        if name in self.wrong:
            return OWN
        alike = [entry for entry in listed if entry.split("(")[0] == text.split("(")[0]]
        return text if text in listed else alike[0] if len(alike) == 1 and "," not in text else OWN

    # What buttons do --------------------------------------------------------------------------------------------------

    async def change_strength(self, text: str) -> None:
        await self.change("luck", re.sub(r"\(.*\)", f"({float(text):g})", self.contest.luck))

    async def drag(self, rank: int, text: str) -> None:
        await self.split(dragged(self.contest.prizes, rank, float(text) / 100), rank)

    async def resize(self, by: int) -> None:
        ranks = min(max(len(self.contest.prizes) + by, 1), MOST_PRIZES, self.number)
        await self.split(resized(self.contest.prizes, ranks))

    async def take_best(self) -> None:
        if self.best is not None:
            await self.split(self.best.prizes)

    def refuse_file(self) -> None:
        self.told_file.set_text(TOO_LARGE)

    def open_dialog(self) -> None:
        self.dialog.open()

    def copy_link(self) -> None:
        ui.run_javascript("navigator.clipboard.writeText(location.href)")
        ui.notify("The link to this contest is copied.")

    async def export(self, alone: bool) -> None:
        async with self.patiently(self.desk.second):
            text = await self.desk.second.ask("answers.export", self.contest, f"on the page: {self.link()}", alone)
            ui.download.content(text, "contest.toml", "application/toml")

    async def open_file(self, e: events.UploadEventArguments) -> None:
        """A file that somebody uploads: data, never code."""
        self.upload.reset()
        if e.file.size() > MOST_BYTES:
            self.refuse_file()
            return
        self.told_file.set_text("Reading …")
        content = await e.file.read()
        worker = self.desk.second
        end = asyncio.get_running_loop().call_later(PATIENCE, worker.stop)
        try:
            if e.file.name.lower().endswith(".toml"):
                contest = await worker.ask("answers.open_study", content.decode("utf-8", errors="replace"))
                told = "The page shows the contest of this file."
            else:
                found = await worker.ask("past.known", self.contest, e.file.name, content)
                told = found.told
                known = {"values": found.values, "attendance": found.attendance, "bidders": str(found.bidders)}
                contest = self.contest if found.warnings else replace(self.contest, groups=(), **known)
            self.told_file.set_text(told)
            await self.become(contest)
        except ValueError as error:
            self.told_file.set_text(str(error))
        except Stopped:
            self.told_file.set_text("This took too long and was stopped: use allpay estimate.")
        finally:
            end.cancel()


def _place(slider: Any, number: float | None, send: bool = True) -> None:
    """Put a slider where its number is."""
    if number is not None and slider.props.get("value") != f"{number:g}":
        slider.props["value"] = f"{number:g}"
        if send:
            slider.update()


def ordinal(rank: int) -> str:
    """A rank from 0, as it is said.

    >>> ordinal(0), ordinal(9)
    ('1st', '10th')
    """
    return ("1st", "2nd", "3rd")[rank] if rank < 3 else f"{rank + 1}th"


def _card(title: str) -> Any:
    card = html.section().classes("card")
    with card:
        html.h2(title)
    return card


def _chart(x: str, y: str, logarithmic: bool = False) -> dict[str, Any]:
    """An empty chart, in colours that are read on light and on dark."""
    grey = "#7d8a9b"
    axis: dict[str, Any] = {
        "type": "log" if logarithmic else "value",
        "nameLocation": "middle",
        "nameTextStyle": {"color": grey},
        "axisLabel": {"color": grey},
        "axisLine": {"lineStyle": {"color": grey}},
        "splitLine": {"lineStyle": {"color": grey, "opacity": 0.18}},
    }
    return {
        "animation": False,
        "grid": {"left": 58, "right": 18, "top": 34, "bottom": 48},
        "legend": {
            "textStyle": {"color": grey},
            "top": 0,
            "data": [],
            "type": "scroll",
            "itemStyle": {"opacity": 0},
            "itemWidth": 30,
        },
        "tooltip": {"trigger": "axis"},
        "xAxis": {**axis, "name": x, "nameGap": 28},
        "yAxis": {**axis, "name": y, "nameGap": 42},
        "series": [],
    }


def _line(line: Line, colour: str, name: str, dashes: str, width: int = 2) -> dict[str, Any]:
    return {
        "type": "line",
        "name": name,
        "showSymbol": False,
        "color": colour,
        "lineStyle": {"type": dashes, "width": width},
        "data": [list(pair) for pair in zip(line.x, line.bids, strict=True)],
    }


def serve(desk: Desk, host: str, port: int, show: bool) -> None:
    """Serve the page until the program is ended."""

    @ui.page("/")
    async def page(client: Client) -> None:
        made = Page(desk, dict(client.request.query_params))
        client.on_disconnect(made.stop)
        await client.connected()
        await made.first()

    app.on_shutdown(desk.close)
    ui.run(
        host=host,
        port=port,
        title="allpay",
        show=show,
        reload=False,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
        reconnect_timeout=10,
    )
