"""The lab's addresses: each reads what it is given within bounds, works off the event loop, and answers in JSON."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from firewall.errors import EniwallError
from firewall.lab import bounds
from firewall.lab.begin import Beginning
from firewall.lab.guard import Guard
from firewall.lab.material import CaptureFile, Material
from firewall.lab.session import Session
from firewall.lab.texts import texts_object
from firewall.lab.turns import GoneError, SupersededError
from firewall.lab.workspace import Workspace
from firewall.labels import printable
from firewall.steps import component
from pcaps.errors import CaptureError

SCRIPTS = ("api.js", "editor.js", "lab.js", "lesson.js", "words.js")


def _page_file(name: str) -> str:
    return (files("firewall.lab") / "page" / name).read_text(encoding="utf-8")


#: The page's files by name: what makes their text, and what it is.
FILES: dict[str, tuple[Callable[[], str], str]] = {
    **{name: (partial(_page_file, name), "text/javascript") for name in SCRIPTS},
    "lab.css": (partial(_page_file, "lab.css"), "text/css"),
    "icon.svg": (partial(_page_file, "icon.svg"), "image/svg+xml"),
    **{name: (partial(component.part, name), "text/javascript") for name in component.MODULES},
    "steps.css": (component.style, "text/css"),
}


class Lab:
    """What the addresses work on: the open sessions, and how to begin."""

    def __init__(self, workspace: Workspace, beginning: Beginning) -> None:
        self._workspace = workspace
        self._begin, self._given, self._lessons = beginning

    # --- the page ----------------------------------------------------------------------------------------
    async def page(self, _: Request) -> Response:
        """The page itself."""
        return Response(_page_file("index.html"), media_type="text/html")

    async def static(self, request: Request) -> Response:
        """One of the page's files."""
        name = request.path_params["name"]
        if name not in FILES:
            raise HTTPException(404, "the lab has no such file")
        text, kind = FILES[name]
        return Response(text(), media_type=kind)

    async def begin(self, _: Request) -> Response:
        """What to show first, and every text of the page."""
        most = {"most": bounds.MAX_UPLOAD, "most_text": bounds.size_text(bounds.MAX_UPLOAD)}
        return JSONResponse({**self._begin, **most, "texts": texts_object()})

    # --- lessons -----------------------------------------------------------------------------------------
    async def lessons(self, _: Request) -> Response:
        """One object a lesson."""
        return JSONResponse({"lessons": await run_in_threadpool(self._lessons.listed)})

    async def lesson(self, request: Request) -> Response:
        """A lesson whole."""
        return JSONResponse(await run_in_threadpool(self._lessons.whole, request.path_params["name"]))

    # --- sessions ----------------------------------------------------------------------------------------
    async def open(self, request: Request) -> Response:
        """{"lesson", "scene": from 1, "task": bool} or {"capture": true}: the session that this opens."""
        asked = _object(await _body(request, bounds.MAX_OPEN))
        make: Callable[[], Material]
        if asked.get("capture") is True:
            if self._given is None:
                raise HTTPException(404, "the lab was started without a capture: choose one on the page")
            given = self._given
            make = lambda: given  # noqa: E731  (as short as it can be said)
        else:
            make = partial(self._lessons.scene, asked.get("lesson"), asked.get("scene", 1), asked.get("task", False))
        place = await run_in_threadpool(self._workspace.place)
        return JSONResponse(await run_in_threadpool(self._workspace.open, place, make))

    async def upload(self, request: Request) -> Response:
        """A capture's bytes: the session that they open. The name is shown and never a path."""
        name = shown_name(request.query_params.get("name", ""))
        place = await run_in_threadpool(self._workspace.place)
        path = place / "capture"
        try:
            await _save(request, path)
        except BaseException:
            await run_in_threadpool(self._workspace.drop, place)
            raise
        make = partial(CaptureFile, str(path), name)
        return JSONResponse(await run_in_threadpool(self._workspace.open, place, make))

    async def session(self, request: Request) -> Response:
        """A session that is open already, for a page that is loaded again."""
        return await self._worked(request, Session.now)

    async def rows(self, request: Request) -> Response:
        """Some rows of the timeline."""
        start, count = _number(request, "start", 1), min(_number(request, "count", 200), bounds.MAX_ROWS)
        return await self._worked(request, Session.rows, start, count)

    async def step(self, request: Request) -> Response:
        """One step with all that is told of it."""
        return await self._worked(request, Session.detail, _whole(request.path_params["step"], "a step"))

    async def rules(self, request: Request) -> Response:
        """Judge the packets again by other rules; 409 where newer ones come before that is done."""
        session = self._session(request)
        text = await _text(request)
        async with session.turns.newest(request.is_disconnected) as pulse:
            return JSONResponse(await run_in_threadpool(session.judged, pulse, text))

    async def grade(self, request: Request) -> Response:
        """Mark the rules by the lesson's task."""
        return await self._worked(request, Session.graded, await _text(request))

    def _session(self, request: Request) -> Session:
        return self._workspace.session(request.path_params["id"])

    async def _worked(self, request: Request, work: Callable[..., Any], *given: Any) -> Response:
        """What a session answers once it is this request's turn."""
        session = self._session(request)
        async with session.turns.one(request.is_disconnected) as pulse:
            return JSONResponse(await run_in_threadpool(work, session, pulse, *given))

    @property
    def routes(self) -> list[Route]:
        """Every address, below the token."""
        return [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            Route("/api/begin", self.begin),
            Route("/api/lessons", self.lessons),
            Route("/api/lessons/{name}", self.lesson),
            Route("/api/open", self.open, methods=["POST"]),
            Route("/api/upload", self.upload, methods=["POST"]),
            Route("/api/{id}", self.session),
            Route("/api/{id}/rows", self.rows),
            Route("/api/{id}/steps/{step}", self.step),
            Route("/api/{id}/rules", self.rules, methods=["POST"]),
            Route("/api/{id}/grade", self.grade, methods=["POST"]),
        ]


def make_app(lab: Lab, token: str, hosts: tuple[str, ...]) -> Guard:
    """The application; `hosts` are the names (`127.0.0.1:8000`) that it answers to."""
    told = {HTTPException: _http, EniwallError: _status(422), CaptureError: _status(422)}
    over = {GoneError: _status(404), SupersededError: _status(409)}
    handlers: Any = {**told, **over, ClientDisconnect: _status(400), OSError: _disk, Exception: _broken}
    app = Starlette(routes=[Mount(f"/{token}", routes=lab.routes)], exception_handlers=handlers)
    return Guard(app, token, hosts)


# --- what is given -----------------------------------------------------------------------------------------
def shown_name(given: str) -> str:
    """A file's name without its folders and control characters, bounded."""
    name = PurePosixPath(given.replace("\\", "/")).name
    return "capture" if name in {"", "..", "."} else printable(name)[: bounds.MAX_NAME]


async def _pieces(request: Request, most: int) -> Any:
    """The body piece by piece; more than `most` bytes are refused, where they are announced before any is read."""
    too_large = HTTPException(413, f"more than {bounds.size_text(most)}: the lab takes no more")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > most:
        raise too_large
    got = 0
    async for piece in request.stream():
        got += len(piece)
        if got > most:
            raise too_large
        yield piece


async def _body(request: Request, most: int) -> bytes:
    return b"".join([piece async for piece in _pieces(request, most)])


async def _save(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for piece in _pieces(request, bounds.MAX_UPLOAD):
            await run_in_threadpool(file.write, piece)


async def _text(request: Request) -> str:
    body = await _body(request, bounds.MAX_RULES)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "the rules are not UTF-8 text") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "a JSON object was expected")
    return found


def _number(request: Request, name: str, default: int) -> int:
    return _whole(request.query_params.get(name, str(default)), name)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(400, f"{name} is a number from 0")
    return int(text)


# --- what goes wrong ---------------------------------------------------------------------------------------
Handler = Callable[[Request, Exception], Awaitable[Response]]


def _status(status: int) -> Handler:
    async def told(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status)

    return told


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (starlette gives what was asked for)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _disk(_: Request, error: Exception) -> Response:
    reason = getattr(error, "strerror", None) or "it cannot be read or written"
    return JSONResponse({"error": f"the lab's temporary folder: {reason}"}, 507)


async def _broken(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "a mistake of eniwall's own; the terminal shows what it was"}, 500)
