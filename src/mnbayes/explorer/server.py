"""The explorer's server: this machine alone, one random address, nothing from elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from mnbayes.base.problems import InputError, Problem
from mnbayes.base.versions import versions
from mnbayes.explorer.case import Case
from mnbayes.explorer.drawn_pictures import read_pictures
from mnbayes.explorer.facts import FactsPage
from mnbayes.explorer.judging import opened_judgements, stated_judgements
from mnbayes.explorer.pages import Page, choices, dumped
from mnbayes.explorer.running import Running
from mnbayes.explorer.saving import read_author, taken_along
from mnbayes.explorer.settings import MOST_BYTES, parse_table, read_query, read_settings
from mnbayes.explorer.worker import Worker

TEMPLATES = Path(__file__).parent / "templates"
#: The only address that is listened on.
LOOPBACK = "127.0.0.1"
#: Seconds without a page after which the server stops; a page that is loaded anew is back sooner.
GRACE = 10.0
#: Most pages that may be open at a time.
MOST_PAGES = 20
#: Most bytes of a message that holds the pictures of a page.
MOST_TAKEN = 4_000_000
#: Pictures, and what else a page may be given, by the ending of its name.
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
STATIC = (
    *("explorer.js", "drawn.js", "dials.js", "experts.js", "taking.js", "facts.js"),
    *("explorer.css", "icon.svg"),
)


@dataclass
class Explorer:
    """A server that explores one case.

    Attributes
    ----------
    case : Case
    token : str
        The first part of every path.
    port : int
    worker : Worker
    pages : dict
        Open pages by their number.
    grace : float
        Seconds without a page after which the server stops, once there was one.
    out : Path
        Where runs are written.
    """

    case: Case
    token: str
    port: int
    worker: Worker
    grace: float = GRACE
    out: Path = Path("results")
    pages: dict[int, Page | FactsPage] = field(default_factory=dict)
    opened: int = 0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    running: Running = field(default_factory=Running)
    _closing: asyncio.TimerHandle | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """How this server may be called: a name of another site that leads here is refused."""
        return (f"{LOOPBACK}:{self.port}", f"localhost:{self.port}")

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def may(self, request: HTTPServerRequest, *, origin: bool = False) -> bool:
        """Whether a request may be answered: host, and origin where there must be one."""
        if request.headers.get("Host", "") not in self.hosts:
            return False
        said = request.headers.get("Origin")
        if said is None:
            return not origin
        return said in [f"http://{host}" for host in self.hosts]

    def enter(self, page: Page | FactsPage) -> int:
        """A page was opened."""
        self.opened += 1
        self.pages[self.opened] = page
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        return self.opened

    def leave(self, number: int) -> None:
        """A page was closed; with the last one the server stops after a while."""
        self.pages.pop(number, None)
        self.worker.forget(number)
        if not self.pages and self.grace > 0:
            loop = asyncio.get_running_loop()
            self._closing = loop.call_later(self.grace, self.stopped.set)


class _Answering(RequestHandler):
    explorer: Explorer

    def initialize(self, explorer: Explorer) -> None:
        self.explorer = explorer

    def prepare(self) -> None:
        if not self.explorer.may(self.request, origin=self.request.method == "POST"):
            raise HTTPError(403)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def refuse(self, error: InputError) -> None:
        """Say what is wrong with what was sent."""
        self.set_status(400)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(str(error))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}")


#: No source but this server; nothing inline, nothing framed, nothing kept, nothing told to others.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def environment() -> Environment:
    """The page's templates."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class _Shown(_Answering):
    """The page itself, or that of a paper's facts."""

    def get(self, name: str) -> None:
        case = self.explorer.case
        cohort = case.cohort
        facts = name == "facts"
        template = "facts.html.j2" if facts else "explorer.html.j2"
        told = FactsPage.choices() if facts else choices(case)
        title = cohort.trial.title or Path(cohort.source).name
        page = environment().get_template(template)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(
            page.render(
                title=title,
                synthetic=cohort.synthetic,
                patients=len(cohort.patients),
                version=versions()["mnbayes"],
                **told,
            )
        )


class _Static(_Answering):
    def get(self, name: str) -> None:
        if name not in STATIC:
            raise HTTPError(404)
        self.set_header("Content-Type", TYPES[Path(name).suffix])
        self.finish((TEMPLATES / name).read_bytes())


class _Picture(_Answering):
    """A picture that ArviZ drew for a page that is open."""

    def get(self, number: str, name: str) -> None:
        page = self.explorer.pages.get(int(number))
        if not isinstance(page, Page) or name not in page.pictures:
            raise HTTPError(404)
        self.set_header("Content-Type", TYPES[".svg"])
        # ArviZ's pictures have a style sheet inside; as images they run nothing.
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.finish(page.pictures[name])


class _Taken(_Answering):
    """Files to take along, of the state in the message."""

    async def post(self) -> None:
        # Pictures become PDF in a second or two, in which other pages are answered.
        loop = asyncio.get_running_loop()
        try:
            made = await loop.run_in_executor(None, self._made)
        except InputError as error:
            self.refuse(error)
            return
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", 'attachment; filename="mnbayes-explore.zip"')
        self.finish(made)

    def _made(self) -> bytes:
        case = self.explorer.case
        said = parse_table(self.request.body, MOST_TAKEN)
        settings = read_settings(said.get("settings"), case.cards[0].name)
        case.check(settings)
        author = read_author(said)
        return taken_along(
            case,
            settings,
            author,
            sealed=said.get("sealed") is True,
            judgements=stated_judgements(
                case, settings, said.get("experts"), author.reason, author.source(datetime.now(UTC))
            ),
            pictures=read_pictures(said, synthetic=case.cohort.synthetic),
        )


class _Judged(_Answering):
    """Judgements of a file that a page opens, as plain values."""

    def post(self) -> None:
        case = self.explorer.case
        try:
            said = parse_table(self.request.body, MOST_TAKEN)
            settings = read_settings(said.get("settings"), case.cards[0].name)
            case.check(settings)
            found = opened_judgements(case, settings, said.get("text"))
        except InputError as error:
            self.refuse(error)
            return
        self.set_header("Content-Type", "application/json")
        self.finish(dumped(found))


class _Socket(WebSocketHandler):
    """A page's line to its own state."""

    explorer: Explorer
    number: int = 0

    def initialize(self, explorer: Explorer) -> None:
        self.explorer = explorer

    def prepare(self) -> None:
        full = len(self.explorer.pages) >= MOST_PAGES
        if full or not self.explorer.may(self.request, origin=True):
            raise HTTPError(503 if full else 403)

    def check_origin(self, origin: str) -> bool:
        return self.explorer.may(self.request, origin=True)

    def open(self, name: str) -> None:
        self.set_nodelay(True)
        loop = asyncio.get_running_loop()

        def send(said: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(self.tell, said)

        if name == "facts":
            self.page: Page | FactsPage = FactsPage(send)
            self.number = self.explorer.enter(self.page)
            self._ask({"type": "set", "n": 0, "settings": {}})
            return
        first = self.explorer.case.first
        page = self.page = Page(self.explorer.case, send, first)
        self.number = self.explorer.enter(page)
        asked, said = first, ""
        if self.request.query:
            try:
                asked = read_query(self.request.query, first.model)
                self.explorer.case.check(asked)
            except InputError as error:
                asked, said = first, str(error)
        self.tell({"type": "hello", "page": self.number, "reference": first.as_dict()})
        if said:
            text = f"The address says what there is not, so the page begins anew. {said}"
            self.tell({"type": "problem", "n": 0, "text": text})
        self._ask({"type": "set", "n": 0, "settings": asked.as_dict()})

    def on_message(self, message: str | bytes) -> None:
        try:
            said = parse_table(message)
            if said.get("type") == "run":
                self._run(said)
                return
            self._ask(said)
        except InputError as error:
            self.tell({"type": "problem", "n": None, "text": str(error)})

    def _ask(self, said: dict[str, Any]) -> None:
        kind = said.get("type")
        work = self.page.work_on(said)
        self.explorer.worker.ask(self.number, work, kind if isinstance(kind, str) else "")

    def _run(self, said: dict[str, Any]) -> None:
        settings = read_settings(said.get("settings"), self.explorer.case.cards[0].name)
        self.explorer.case.check(settings)
        told = self.explorer.running.start(
            self.explorer.case, settings, read_author(said), self.explorer.out, self.page.send
        )
        self.tell({"type": "ran", "text": told})

    def tell(self, said: Any) -> None:
        """Send plain values, if the page is still there."""
        try:
            future = self.write_message(dumped(said))
            future.add_done_callback(lambda done: done.exception())
        except WebSocketClosedError:
            pass

    def on_close(self) -> None:
        if self.number:
            self.explorer.leave(self.number)


def application(explorer: Explorer) -> Application:
    """The paths of an explorer."""
    given = {"explorer": explorer}
    start = f"/{explorer.token}"
    return Application(
        [
            (f"{start}/(|facts)", _Shown, given),
            (f"{start}/static/([a-z.]+)", _Static, given),
            (f"{start}/arviz/([0-9]{{1,9}})/([0-9a-z_]+)\\.svg", _Picture, given),
            (f"{start}/take", _Taken, given),
            (f"{start}/judgements", _Judged, given),
            (f"{start}/(socket|facts)/live", _Socket, given),
            (r".*", _Nothing, given),
        ],
        websocket_ping_interval=20,
        websocket_max_message_size=MOST_BYTES,
        log_function=lambda handler: None,
        compress_response=False,
    )


class _Nothing(_Answering):
    def get(self) -> None:
        raise HTTPError(404)

    post = get


def _bound(port: int) -> socket.socket:
    try:
        bound = socket.create_server((LOOPBACK, port))
    except OSError as error:
        found = f"{port} ({error.strerror})"
        expected = "a port that is free, or none"
        raise InputError([Problem("--port", None, None, found, expected)]) from error
    bound.setblocking(False)
    return bound


async def serving(
    case: Case,
    port: int = 0,
    *,
    grace: float = GRACE,
    out: Path = Path("results"),
    ready: Callable[[Explorer], None] = lambda explorer: None,
) -> None:
    """Serve until Ctrl-C, or until the last page has been closed for a while.

    Parameters
    ----------
    case : Case
    port : int
        0: any that is free.
    grace : float
        Seconds; 0: never stop for want of a page.
    out : Path
        Where runs are written.
    ready : callable
        Called with the explorer once it listens.

    Raises
    ------
    InputError
        If the port is taken.
    """
    bound = _bound(port)
    pages: dict[int, Page | FactsPage] = {}

    def failed(page: Hashable, text: str) -> None:
        found = pages.get(page) if isinstance(page, int) else None
        if found is not None:
            found.send({"type": "problem", "n": None, "text": text})

    worker = Worker(failed)
    explorer = Explorer(
        case,
        secrets.token_urlsafe(24),
        bound.getsockname()[1],
        worker,
        grace=grace,
        out=out,
        pages=pages,
    )
    server = HTTPServer(application(explorer), max_body_size=MOST_TAKEN)
    server.add_socket(bound)
    worker.start()
    loop = asyncio.get_running_loop()
    handled = []
    for each in (signal.SIGINT, signal.SIGTERM):
        # Not in a thread of its own, as in tests, and not where the system has none of it.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(each, explorer.stopped.set)
            handled.append(each)
    try:
        ready(explorer)
        await explorer.stopped.wait()
    finally:
        for each in handled:
            loop.remove_signal_handler(each)
        server.stop()
        explorer.running.stop()
        await loop.run_in_executor(None, partial(worker.stop, 10.0))
        await server.close_all_connections()
