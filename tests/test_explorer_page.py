"""The explorer's server and its page: who may ask, and what a person with a browser finds.

What needs a browser is skipped where there is no Chromium, or one made from it.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page
from pypdf import PdfReader
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

import mnbayes as mn
from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card
from mnbayes.data.cohort import Cohort
from mnbayes.explorer.answers import answer
from mnbayes.explorer.case import Case
from mnbayes.explorer.judgements import read_judgements
from mnbayes.explorer.server import Explorer, serving
from mnbayes.explorer.settings import Settings, read_query
from mnbayes.explorer.shown import rows
from mnbayes.explorer.worker import SupersededError
from mnbayes.inference.sampling import Sampling

HOSTILE = ("<img src=x onerror=document.title='taken'>", "</script><b>B</b>", "\"'&{{7*7}}", "é😀")


@contextmanager
def served(case: Case, grace: float = 0.0, port: int = 0) -> Iterator[Explorer]:
    """A case on a server in a thread of its own."""
    ready, found = threading.Event(), []

    def listening(explorer: Explorer) -> None:
        found.append((explorer, asyncio.get_running_loop()))
        ready.set()

    def run() -> None:
        asyncio.run(serving(case, port, grace=grace, ready=listening))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    explorer, loop = found[0]
    try:
        yield explorer
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(explorer.stopped.set)
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def case(cohort: Cohort, proteinuria_card: Card) -> Case:
    return Case(cohort, (proteinuria_card,))


@pytest.fixture(scope="module")
def explorer(case: Case) -> Iterator[Explorer]:
    with served(case) as found:
        yield found


# Who may ask ----------------------------------------------------------------------------------


def _ask(
    explorer: Explorer, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    line = http.client.HTTPConnection("127.0.0.1", explorer.port, timeout=30)
    line.putrequest(method, path, skip_host="Host" in headers)
    if body is not None:
        headers["Content-Length"] = str(len(body))
    for name, value in headers.items():
        line.putheader(name.replace("_", "-"), value)
    line.endheaders(body.encode() if body is not None else None)
    answered = line.getresponse()
    found = answered.status, dict(answered.headers), answered.read()
    line.close()
    return found


def test_only_who_knows_the_address_is_answered(explorer: Explorer) -> None:
    start = f"/{explorer.token}/"
    assert _ask(explorer, start)[0] == 200
    for path in ("/", "/x/", f"/{'x' * 32}/", f"{start}nothing", f"{start}static/server.py"):
        assert _ask(explorer, path)[0] == 404, path
    assert _ask(explorer, f"{start}static/..%2fserver.py")[0] == 404
    assert _ask(explorer, f"{start}arviz/1/02_trace.svg")[0] == 404
    assert len(explorer.token) >= 32


def test_another_site_that_leads_here_is_refused(explorer: Explorer) -> None:
    start, own = f"/{explorer.token}/", f"http://127.0.0.1:{explorer.port}"
    for host in ("evil.example", f"evil.example:{explorer.port}", "127.0.0.1", ""):
        assert _ask(explorer, start, Host=host)[0] == 403, host
    assert _ask(explorer, start, Host=f"localhost:{explorer.port}")[0] == 200
    assert _ask(explorer, start, Origin="http://evil.example")[0] == 403
    said = json.dumps({"settings": {}})
    assert _ask(explorer, f"{start}take", "POST", said)[0] == 403
    assert _ask(explorer, f"{start}take", "POST", said, Origin="null")[0] == 403
    assert _ask(explorer, f"{start}take", "POST", said, Origin=own)[0] == 200
    socket = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": f"http://x:{explorer.port}"}):
        assert _ask(explorer, f"{start}socket/live", **socket, **origin)[0] == 403


def test_a_page_may_load_nothing_from_elsewhere(explorer: Explorer) -> None:
    _, headers, body = _ask(explorer, f"/{explorer.token}/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"  # the address holds the token
    assert headers["Cache-Control"] == "no-store"
    text = body.decode()
    assert "SYNTHETIC cohort" in text
    assert "://" not in text.replace("http://www.w3.org", "")
    assert "onclick" not in text
    assert "style=" not in text


def test_files_to_take_along_are_made_of_the_state_that_is_sent(explorer: Explorer) -> None:
    own = f"http://127.0.0.1:{explorer.port}"
    belief = "90% between 0.5 and 1.2 on gmr"
    said = {
        "settings": {"priors": {"change_mean": belief}},
        "pictures": {"shares_1": "<svg/>", "../x": "<svg/>", "y": 3},
        "who": "A. B.",
        "sealed": True,
        "seen": False,
    }
    path = f"/{explorer.token}/take"
    status, headers, body = _ask(explorer, path, "POST", json.dumps(said), Origin=own)
    assert status == 200
    assert headers["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == [
            *("my-priors.toml", "my-priors.seal.json", "readme.txt", "shares_1.svg")
        ]
        assert json.loads(archive.read("my-priors.seal.json"))["who"] == "A. B."
        assert belief in archive.read("readme.txt").decode()
    for wrong in ("[", "[]", '{"settings": {"model": "x"}}', '{"settings": {"seed": "1"}}'):
        status, _, body = _ask(explorer, path, "POST", wrong, Origin=own)
        assert status == 400, wrong
        assert b"Traceback" not in body


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 40" width="90" height="40">'
    "<title>{}</title><text x='5' y='20' font-size='11px'>{}</text></svg>"
)


def _pdf(content: bytes) -> PdfReader:
    """A PDF whose letters can be read, with all of its fonts inside and no date."""
    made = PdfReader(io.BytesIO(content))
    assert made.metadata is not None
    assert "/CreationDate" not in made.metadata
    fonts = made.pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    inside = [font.get_object()["/DescendantFonts"][0]["/FontDescriptor"] for font in fonts]
    assert inside
    assert all({"/FontFile2", "/FontFile3"} & set(each) for each in inside)
    return made


def test_pictures_are_taken_along_as_pdf_too(explorer: Explorer) -> None:
    own, path = f"http://127.0.0.1:{explorer.port}", f"/{explorer.token}/take"
    pictures = {
        "shares_1": SVG.format("Share in β ≥ ½", "benchmark"),
        "courses_1": SVG.format('SYNTHETIC: "#panic() \\&amp;&lt;b&gt;', "é"),
        "weeks_1": SVG.format("", "x"),
    }
    said = {"settings": {}, "pictures": pictures, "format": "pdf"}
    body = _ask(explorer, path, "POST", json.dumps(said), Origin=own)[2]
    again = _ask(explorer, path, "POST", json.dumps(said), Origin=own)[2]
    with (
        zipfile.ZipFile(io.BytesIO(body)) as archive,
        zipfile.ZipFile(io.BytesIO(again)) as other,
    ):
        names = archive.namelist()
        assert names[-3:] == ["shares_1.pdf", "courses_1.pdf", "weeks_1.pdf"]
        assert "SYNTHETIC" in archive.read("readme.txt").decode()
        found = [_pdf(archive.read(name)) for name in names[-3:]]
        assert [archive.read(name) for name in names[-3:]] == [
            other.read(name) for name in names[-3:]
        ]
    titles = [str(each.metadata.title) for each in found if each.metadata is not None]
    assert titles == [
        "SYNTHETIC: Share in β ≥ ½",
        "SYNTHETIC: '#panic() /&<b>",
        "SYNTHETIC: weeks_1",
    ]
    assert found[0].pages[0].extract_text() == "benchmark"
    for wrong in (
        {"format": "png"},
        {"format": ["pdf"]},
        {"pictures": {"x": "<svg"}},
        {
            "pictures": {
                "x": '<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'
            }
        },
        {"pictures": {f"x{i}": "" for i in range(501)}},
    ):
        status, _, body = _ask(explorer, path, "POST", json.dumps(said | wrong), Origin=own)
        assert status == 400, wrong
        assert b"found" in body


def test_a_port_that_is_taken_is_said(explorer: Explorer, case: Case) -> None:
    with pytest.raises(InputError, match=r"--port: found .*in use"):
        asyncio.run(serving(case, explorer.port))


@contextmanager
def _started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path, Path]]:
    """An explorer in a process of its own: it, its address, its folder and its temporary one."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "mnbayes.cli", "explore", "--no-browser"],
        cwd=here,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    try:
        address = next(line.strip() for line in process.stdout if line.startswith("http://127."))
        yield process, address, here, temporary
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_ctrl_c_ends_it_and_nothing_is_left(tmp_path: Path) -> None:
    with _started(tmp_path) as (process, address, here, temporary):
        line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        line.request("GET", urlsplit(address).path)
        assert line.getresponse().status == 200
        line.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert not any(here.iterdir())
    assert not any(temporary.iterdir())
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection(urlsplit(address).netloc, timeout=5).connect()


def _working(command: bytes, parent: int | None = None) -> set[str]:
    """Processes whose command has some bytes in it, of any parent or of one; no dead ones."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            state, above = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z" and parent in (None, int(above)):
                found |= {folder.name} if command in (folder / "cmdline").read_bytes() else set()
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="finds processes as Linux does")
def test_a_killed_server_takes_the_run_that_it_began_with_it(tmp_path: Path) -> None:
    async def begin(address: str) -> str:
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        asked = HTTPRequest(
            f"ws{address.removeprefix('http')}socket/live", headers={"Origin": origin}
        )
        line = await websocket_connect(asked)
        await line.write_message(json.dumps({"type": "run", "settings": {}}))
        told = ""
        while (text := await line.read_message()) is not None:
            said: dict[str, Any] = json.loads(text)
            if said["type"] == "ran" and not told:
                told = str(said["text"])
                line.close()
        return told

    with _started(tmp_path) as (process, address, here, temporary):
        assert "has begun" in asyncio.run(begin(address))
        (child,) = _working(b"mnbayes.explorer.run_process", process.pid)
        process.kill()
        process.wait()
        assert _eventually(lambda: child not in _working(b"mnbayes.explorer.run_process"))
    assert not list(here.rglob("*.csv"))
    assert _eventually(lambda: not any(temporary.iterdir()))


# With a browser -------------------------------------------------------------------------------


#: The page has drawn a settled answer to its newest wish, and what follows from it.
SETTLED = """() => document.body.dataset.settled === 'true'
  && document.body.dataset.further === document.body.dataset.n
  && !document.getElementById('state').textContent.endsWith('…')"""


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


class Opened:
    """A page with a list of what went wrong on it, and of addresses that it asked for."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def settle(self) -> Opened:
        self.page.wait_for_function(SETTLED)
        return self

    def after(self, act: Callable[[], Any]) -> Opened:
        """Wait until what an act asks for is drawn."""
        n = int(self.page.evaluate("document.body.dataset.n"))
        act()
        self.page.wait_for_function(f"() => Number(document.body.dataset.n) > {n}")
        return self.settle()

    @property
    def numbers(self) -> dict[str, str]:
        """The answers given the data by row."""
        lines = self.page.locator("#rows tbody tr")
        return {
            str(line.get_attribute("data-id")): _plain(line.locator("td").nth(1).inner_text())
            for line in lines.all()
        }

    @property
    def settings(self) -> Settings:
        """The state that the address holds."""
        return read_query(urlsplit(self.page.url).query, "proteinuria")


def _wanted(case: Case, settings: Settings) -> dict[str, str]:
    """The same numbers, made without a page."""
    made = answer(case, settings)
    assert made is not None
    return {row["id"]: row["now"] for row in rows(made)}


@pytest.fixture(scope="module")
def opened(browser: Browser, explorer: Explorer) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield Opened(context, explorer.address).settle()
    context.close()


def _dial(opened: Opened, name: str = "change_mean") -> Any:
    return opened.page.locator(f"fieldset[data-name={name}]")


def test_a_real_drag_moves_the_answers_to_those_of_the_same_fit(
    opened: Opened, case: Case, cohort: Cohort
) -> None:
    page, before = opened.page, opened.numbers
    slider = _dial(opened).locator("input[type=range]").nth(1)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2

    def drag() -> None:
        page.mouse.move(box["x"] + 0.63 * box["width"], y)
        page.mouse.down()
        for step in range(10):
            page.mouse.move(box["x"] + (0.6 - 0.02 * step) * box["width"], y)

    opened.after(drag)  # the hand rests, and all is worked out before the slider is let go
    settings = opened.settings
    assert page.locator("#tried li").count() == 1
    opened.after(page.mouse.up)
    assert opened.settings == settings
    assert page.locator("#tried li").count() == 2
    ((name, belief),) = settings.priors
    assert name == "change_mean"
    assert opened.numbers == _wanted(case, settings) != before
    card = mn.with_priors(mn.load_card("proteinuria"), "weak", [f"{name}={belief}"])
    fitted = mn.fit(card, cohort, Sampling(engine="auto"))
    result = mn.summarise(fitted, seed=1, refits=False)
    last = result.estimates.set_index("week").loc[12.0]
    ends = " ".join(f"{last[f'gmr_{end}']:.2f}" for end in ("median", "lower", "upper"))
    shown = opened.numbers["gmr:urine_protein_24h"]
    assert shown.replace("(", "").replace(")", "").replace(" to ", " ") == ends
    assert "sure that the typical ratio" in _dial(opened).locator(".says").inner_text()
    reference = page.locator("#rows tbody tr").first.locator("td").nth(2).inner_text()
    assert reference == before["gmr:urine_protein_24h"]
    opened.after(lambda: page.click("#back"))
    assert opened.numbers == before
    assert page.locator("#tried li").count() == 2


def test_the_keyboard_alone_does_it(opened: Opened, case: Case) -> None:
    page = opened.page
    slider = _dial(opened, "visit_sd").locator("input[type=range]")

    def press() -> None:
        slider.focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        page.keyboard.press("Tab")

    opened.after(press)
    assert page.evaluate("document.activeElement.type") == "number"
    ((name, _),) = opened.settings.priors
    assert name == "visit_sd"

    def type_a_number() -> None:
        page.keyboard.press("Control+A")
        page.keyboard.type("0.4")
        page.keyboard.press("Enter")

    opened.after(type_a_number)
    assert opened.settings.priors == (("visit_sd", "95% below 0.4 on sd"),)
    assert opened.numbers == _wanted(case, opened.settings)


def test_every_control_is_a_setting(opened: Opened, case: Case) -> None:
    page = opened.page

    def all_at_once() -> None:  # of wishes that come faster than answers the last one counts
        page.locator("button[data-set=sceptical]").press("Enter")
        page.select_option("#trajectory", "step")
        page.select_option("#week", "4")
        page.fill("#bar-effective-box", "65")
        page.keyboard.press("Tab")

    all_at_once()
    page.wait_for_function("() => location.search.includes('0.65')")
    opened.settle()
    wanted = Settings(
        "proteinuria",
        sets=("sceptical",),
        trajectory="step",
        week=4.0,
        benchmarks=(("effective", 0.65),),
    )
    assert opened.settings == wanted
    before = opened.numbers
    assert before == _wanted(case, wanted)
    page.reload()
    opened.settle()
    assert opened.settings == wanted  # the address restores the state
    assert opened.numbers == before


def _pooled(opened: Opened) -> Any:
    """The prior after experts' judgements were pooled and the pool is used."""
    page, dial = opened.page, _dial(opened)
    dial.get_by_role("button", name="Pool them").click()
    page.wait_for_function("() => document.body.textContent.includes('Closest to the mixture')")
    opened.after(lambda: dial.get_by_role("button", name="Use the pool").click())
    ((name, stated),) = opened.settings.priors
    assert name == "change_mean"
    return stated


def test_experts_are_kept_pooled_saved_and_opened_again(
    opened: Opened, browser: Browser, explorer: Explorer, tmp_path: Path
) -> None:
    page, dial = opened.page, _dial(opened)
    dial.locator("summary").click()

    def keep(who: str, how: str, weight: str = "1") -> None:
        dial.locator("input[aria-label^='Expert on']").fill(who)
        dial.locator("input[aria-label^='Weight of this expert']").fill(weight)
        dial.get_by_role("button", name=how, exact=True).click()

    keep(HOSTILE[0], "Keep as this expert’s")
    for place in (3, 4, 4, 5):
        dial.locator(".bin button[aria-label^='One chip more']").nth(place).click()
    keep("B", "Keep the chips as this expert’s", "2")
    first = _pooled(opened)
    file = tmp_path / "my-experts.toml"
    file.write_bytes(_taken(page, "svg")["my-experts.toml"])
    (change,) = read_judgements(file.read_bytes()).prior
    assert [(each.who, each.weight) for each in change.expert] == [(HOSTILE[0], 1.0), ("B", 2.0)]
    assert sum(change.expert[1].chips) == 4
    assert change.pooled == first
    page.reload()  # the tab keeps them
    opened.settle()
    assert str(page.locator("#kept").text_content()).startswith(
        "2 judgements of experts on 1 prior"
    )

    context = browser.new_context()
    other = Opened(context, explorer.address).settle()
    page, dial = other.page, _dial(other)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert "No expert’s" in page.inner_text("#kept")
    for said in ("2 opened", "0 opened"):  # twice the same adds nothing
        page.set_input_files("#open", file)
        page.wait_for_function(
            f"() => document.getElementById('opened').textContent.startsWith('{said}')"
        )
        assert dial.locator("li").count() == 2
    assert HOSTILE[0] in dial.locator("li").first.inner_text()
    assert page.locator("#dials img").count() == 0
    assert _pooled(other) == first  # number for number
    broken = tmp_path / "broken.toml"
    broken.write_text(file.read_text(encoding="utf-8").replace("weight = 2.0", "weight = -2.0"))
    page.set_input_files("#open", broken)
    page.wait_for_function("() => document.getElementById('opened').textContent.includes('-2')")
    assert "expected greater than 0" in page.inner_text("#opened")
    assert dial.locator("li").count() == 2
    assert [text for text in other.wrong if "400" not in text] == []
    context.close()


def test_a_fit_that_takes_long_gives_way(
    opened: Opened, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, given_up, waited = opened.page, threading.Event(), threading.Event()

    def slow(case: Case, settings: Settings, **asked: Any) -> Any:
        """NUTS that draws until something newer waits."""
        if settings.residual != "student_t":
            return answer(case, settings, **asked)
        if not asked["settled"]:
            return None
        try:
            for done in range(600):
                asked["progress"]("sampling", done, 600)
                waited.wait(0.05)
        except SupersededError:
            given_up.set()
            raise
        raise AssertionError("the page did not say what is newer")

    monkeypatch.setattr("mnbayes.explorer.pages.answer", slow)
    before = opened.numbers
    page.select_option("#residual", "student_t")
    page.wait_for_selector("#progress:not([hidden])")
    assert "NUTS draws" in page.inner_text("#state")
    opened.after(lambda: page.select_option("#residual", "normal"))
    assert given_up.is_set()
    assert page.locator("#progress").is_hidden()
    assert page.inner_text("#problem") == ""
    assert opened.numbers == before


def test_a_drag_that_takes_long_is_fitted_once(
    opened: Opened, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, begun, waited = opened.page, [0], threading.Event()

    def slow(case: Case, settings: Settings, **asked: Any) -> Any:
        """NUTS that draws for longer than the page waits for a hand to rest."""
        if settings.residual != "student_t":
            return answer(case, settings, **asked)
        if not asked["settled"]:
            return None
        begun[0] += 1
        for done in range(20):
            asked["progress"]("sampling", done, 20)
            waited.wait(0.05)
        found = answer(case, replace(settings, residual="normal"), settled=True)
        assert found is not None
        return replace(found, settings=settings)

    monkeypatch.setattr("mnbayes.explorer.pages.answer", slow)
    opened.after(lambda: page.select_option("#residual", "student_t"))
    assert begun == [1]
    slider = _dial(opened).locator("input[type=range]").first
    moved = """slider => {
        slider.stepUp();
        slider.dispatchEvent(new Event("input", { bubbles: true }));
    }"""
    opened.after(lambda: slider.evaluate(moved))
    assert begun == [2]
    opened.after(lambda: page.click("#back"))


def test_chips_words_and_what_makes_no_sense(opened: Opened) -> None:
    page, dial = opened.page, _dial(opened)
    dial.locator("summary").click()
    for place in (3, 4, 4, 5):
        dial.locator(".bin button[aria-label^='One chip more']").nth(place).click()
    page.wait_for_function(
        "() => document.querySelector('[data-name=change_mean]').textContent.includes('Closest')"
    )
    opened.after(lambda: dial.get_by_text("Use the chips").click())
    ((name, stated),) = opened.settings.priors
    assert name == "change_mean"
    assert set(stated) == {"mu", "sigma"}
    before = opened.numbers
    words = dial.locator("input[aria-label$='a belief in words']")
    words.fill("90% between 3 and 2 on gmr")
    dial.get_by_text("Say it").click()
    page.wait_for_function("() => document.getElementById('problem').textContent")
    assert "the smaller number first" in page.inner_text("#problem")
    assert opened.numbers == before
    words.fill("90% between 0% and 70% on fall")
    opened.after(lambda: dial.get_by_text("Say it").click())
    assert page.inner_text("#problem") == ""
    assert opened.settings.priors == (("change_mean", "90% between 0% and 70% on fall"),)


def test_two_pages_do_not_mix(
    opened: Opened, browser: Browser, explorer: Explorer, case: Case
) -> None:
    context = browser.new_context()
    other = Opened(context, f"{explorer.address}?sets=%5B%22enthusiastic%22%5D")
    opened.after(lambda: opened.page.click("button[data-set=historical]"))
    other.settle()
    assert opened.settings.sets == ("historical",)
    assert other.settings == Settings("proteinuria", sets=("enthusiastic",))
    for each in (opened, other):
        assert each.numbers == _wanted(case, each.settings)
    context.close()
    assert not other.wrong


def _taken(page: Page, kind: str) -> dict[str, bytes]:
    """What the button downloads, pictures of that kind."""
    page.evaluate("document.getElementById('take').open = true")
    page.select_option("#format", kind)
    with page.expect_download() as begun:
        page.click("#files")
    with zipfile.ZipFile(begun.value.path()) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    page.evaluate("document.getElementById('take').open = false")
    return found


def test_the_pictures_that_are_seen_are_taken_along(opened: Opened) -> None:
    as_svg, as_pdf = (_taken(opened.page, kind) for kind in ("svg", "pdf"))
    names = [Path(name).stem for name in as_svg if name.endswith(".svg")]
    assert names == [Path(name).stem for name in as_pdf if name.endswith(".pdf")]
    assert {name.split("_")[0] for name in names} >= {"shares", "weeks", "courses"}
    svg = ElementTree.fromstring(as_svg["courses_1.svg"])
    title = svg.findtext("{*}title")
    assert title is not None
    assert title.startswith("SYNTHETIC: 24-h urinary protein")
    assert [each.text for each in svg.findall(".//{*}text")][
        -1
    ] == "SYNTHETIC cohort: no real patient."
    pdf = _pdf(as_pdf["courses_1.pdf"])
    assert pdf.metadata is not None
    assert pdf.metadata.title == title
    assert "SYNTHETIC cohort" in pdf.pages[0].extract_text()


def _violations(page: Page) -> list[str]:
    """What axe-core finds; the page's policy lets it in from outside alone."""
    page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": AXE_SCRIPT})
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
    )
    return [
        f"{each['id']} at {node['target']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anybody_can_use_it(opened: Opened, scheme: str) -> None:
    page = opened.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

    assert _violations(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    page.emulate_media(color_scheme="light")


def test_a_phone_shows_all_of_it(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    strip = page.locator("#strip")
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    assert strip.bounding_box()["y"] >= 0  # the answer stays in sight
    page.set_viewport_size({"width": 1280, "height": 900})


def test_nothing_went_wrong_and_nothing_else_was_asked_for(
    opened: Opened, explorer: Explorer
) -> None:
    assert opened.wrong == []
    start = explorer.address.removeprefix("http")
    assert all(
        url.removeprefix("http").removeprefix("ws").startswith(start) for url in opened.asked
    )


def test_hostile_names_stay_text(browser: Browser, cohort: Cohort, proteinuria_card: Card) -> None:
    names = dict(zip(cohort.patient_ids, HOSTILE, strict=False))
    hostile = replace(
        cohort,
        patients=cohort.patients.assign(patient=cohort.patients["patient"].replace(names)),
        measurements=cohort.measurements.assign(
            patient=cohort.measurements["patient"].replace(names)
        ),
        trial=cohort.trial.model_copy(update={"title": "</title><script>document.title='taken'"}),
    )
    card = proteinuria_card.model_copy(update={"title": '"><script>document.title="taken"'})
    with served(Case(hostile, (card,))) as explorer:
        context = browser.new_context()
        opened = Opened(context, explorer.address).settle()
        page = opened.page
        assert "taken" not in page.title().replace("document.title='taken'", "")
        text = page.inner_text("#courses") + page.inner_text("#patients")
        assert all(name in text for name in HOSTILE)
        assert page.locator("#courses img, #patients b").count() == 0
        asked = "?model=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
        page.goto(explorer.address + asked)
        page.wait_for_function("() => document.getElementById('problem').textContent")
        assert "The address says what there is not" in page.inner_text("#problem")
        assert page.locator("#problem img").count() == 0
        assert opened.wrong == []
        context.close()


def test_the_last_page_that_closes_ends_it(browser: Browser, case: Case) -> None:
    with served(case, grace=0.2) as explorer:
        context = browser.new_context()
        Opened(context, explorer.address)
        assert _eventually(lambda: len(explorer.pages) == 1)
        assert not explorer.stopped.is_set()
        context.close()
        assert _eventually(explorer.stopped.is_set)
        assert explorer.pages == {}


def _eventually(holds: Callable[[], bool]) -> bool:
    waited = threading.Event()
    for _ in range(600):
        if holds():
            return True
        waited.wait(0.05)
    return False


def test_the_facts_of_a_paper_have_their_page(browser: Browser, explorer: Explorer) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    opened = Opened(context, f"{explorer.address}facts")
    opened.page.wait_for_selector("body[data-n='0']")
    assert "Typical ratio to baseline: 0.60" in opened.page.inner_text("#headline")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert _violations(opened.page) == []
    assert opened.wrong == []
    context.close()
