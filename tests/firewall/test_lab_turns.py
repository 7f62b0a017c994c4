"""Requests that come faster than they can be worked on: what is out of date is dropped, and nobody else waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from firewall.engine import Firewall
from firewall.lab.app import Lab, make_app
from firewall.lab.begin import begun
from firewall.lab.material import LessonScene
from firewall.lab.turns import GoneError, SupersededError, Turns
from firewall.lab.workspace import Workspace
from firewall.steps import Steps
from pcaps.capture import open_capture
from pcaps.samples import sample
from tests.firewall.lab import HOST, TOKEN

PILE = 45  # more than there are worker threads
PATIENCE = 30  # seconds
GONE = {"error": "this capture is not open any more: open it again"}
NEWER = {"error": "superseded: newer rules came before these were judged"}


class Gate:
    """Stands before the judging of a scene; whoever comes is counted and waits until it opens."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self.opened = threading.Event()
        self.passed = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate, judges = Gate(), LessonScene.judges

    def waiting(scene: LessonScene, rules: Path) -> Any:
        gate.came.release()
        assert gate.opened.wait(PATIENCE)
        gate.passed += 1
        return judges(scene, rules)

    monkeypatch.setattr(LessonScene, "judges", waiting)
    yield gate
    gate.opened.set()


def told(story: Coroutine[Any, Any, None]) -> None:
    """Run a story to its end, in a thread: where a browser was driven before, this one has a loop already."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, story).result()


@asynccontextmanager
async def asking(workspace: Workspace) -> AsyncIterator[AsyncClient]:
    app = make_app(Lab(workspace, begun(None, None, None, "en")), TOKEN, (HOST,))
    async with AsyncClient(transport=ASGITransport(app), base_url=f"http://{HOST}/{TOKEN}/") as client:
        yield client


async def opened(client: AsyncClient, gate: Gate) -> tuple[str, str]:
    """A session's address and its rules; the gate is closed behind it."""
    gate.opened.set()
    found = (await client.post("api/open", json={"lesson": "return-traffic", "scene": 1})).json()
    gate.opened.clear()
    assert gate.came.acquire(timeout=PATIENCE)
    gate.passed = 0
    return f"api/{found['id']}", found["rules"]


async def working(gate: Gate, asked: Awaitable[Response]) -> "asyncio.Task[Response]":
    """The request, once its judging has begun and stands at the gate."""
    task = asyncio.ensure_future(asked)
    assert await asyncio.to_thread(gate.came.acquire, timeout=PATIENCE)
    return task


def test_of_a_pile_of_rules_the_newest_are_judged_and_other_requests_go_on(tmp_path: Path, gate: Gate) -> None:
    async def story() -> None:
        async with asking(Workspace(tmp_path)) as client:
            session, rules = await opened(client, gate)
            first = await working(gate, client.post(f"{session}/rules", content=rules))
            pile = [
                asyncio.ensure_future(client.post(f"{session}/rules", content=f"{rules}# {number}\n"))
                for number in range(PILE)
            ]
            step = asyncio.ensure_future(client.get(f"{session}/steps/1"))
            lessons = await asyncio.wait_for(client.get("api/lessons"), PATIENCE)  # needs a thread of its own
            assert lessons.status_code == 200
            assert not any(task.done() for task in (first, *pile, step))
            gate.opened.set()
            *old, newest = await asyncio.gather(first, *pile)
            assert [(answer.status_code, answer.json()) for answer in old] == [(409, NEWER)] * PILE
            assert (newest.status_code, newest.json()["changed"]) == (200, [])
            assert gate.passed == 2  # the one that had begun, and the newest
            assert (await step).status_code == 200
            assert (await client.get(session)).json()["rules"] == f"{rules}# {PILE - 1}\n"

    told(story())


def test_what_waits_and_what_works_ends_with_the_lab(tmp_path: Path, gate: Gate) -> None:
    async def story() -> None:
        workspace = Workspace(tmp_path)
        async with asking(workspace) as client:
            session, rules = await opened(client, gate)
            first = await working(gate, client.post(f"{session}/rules", content=rules))
            waiting = asyncio.ensure_future(client.get(session))
            opening = await working(gate, client.post("api/open", json={"lesson": "return-traffic", "scene": 2}))
            workspace.end()
            gate.opened.set()
            answers = await asyncio.gather(first, waiting, opening)
            assert [(answer.status_code, answer.json()) for answer in answers] == [(404, GONE)] * 3
            assert gate.passed == 2  # nothing that waited began

    told(story())


def test_what_waits_for_a_session_that_makes_room_is_told_so(tmp_path: Path, gate: Gate) -> None:
    async def story() -> None:
        async with asking(Workspace(tmp_path, most=1)) as client:
            session, rules = await opened(client, gate)
            first = await working(gate, client.post(f"{session}/rules", content=rules))
            waiting = asyncio.ensure_future(client.get(f"{session}/steps/1"))
            other = await working(gate, client.post("api/open", json={"lesson": "return-traffic", "scene": 2}))
            gate.opened.set()
            assert (await other).status_code == 200
            assert {answer.status_code for answer in await asyncio.gather(first, waiting)} <= {200, 404}
            assert (await client.get(f"{session}/steps/1")).json() == GONE

    told(story())


async def here() -> bool:
    return False


async def away() -> bool:
    return True


async def drawn(turn: Callable[[Callable[[], Awaitable[bool]]], Any], gone: Callable[[], Awaitable[bool]]) -> str:
    try:
        async with turn(gone) as pulse:
            pulse()
            return "worked"
    except (SupersededError, GoneError) as error:
        return str(error)


def test_nothing_is_done_for_who_has_gone() -> None:
    async def story() -> None:
        turns = Turns()
        nobody = "superseded: nobody waits for this answer any more"
        assert [await drawn(turn, away) for turn in (turns.one, turns.newest)] == [nobody, nobody]
        assert [await drawn(turn, here) for turn in (turns.one, turns.newest)] == ["worked", "worked"]
        turns.end()
        assert [await drawn(turn, here) for turn in (turns.one, turns.newest)] == [GONE["error"]] * 2

    told(story())


def test_work_ends_at_its_next_pulse_once_newer_rules_come() -> None:
    async def story() -> None:
        turns = Turns()
        async with turns.newest(here) as pulse:
            pulse()
            newer = asyncio.ensure_future(drawn(turns.newest, here))
            await asyncio.sleep(0)
            with pytest.raises(SupersededError, match=r"superseded: newer rules came before these were judged"):
                pulse()
        assert await newer == "worked"

    told(story())


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_pulse_stops_the_reading_or_the_judging_of_a_capture(at: int) -> None:
    pulses = 0

    def pulse() -> None:
        nonlocal pulses
        pulses += 1
        if pulses == at:
            raise SupersededError

    rules = str(sample("web-http").with_suffix(".yaml"))
    firewalls = {reading: Firewall.from_file(rules, reading=reading) for reading in ("sg", "stateless")}
    with open_capture(str(sample("web-http"))) as capture, pytest.raises(SupersededError):
        Steps.of(capture, firewalls, pulse=pulse)
    assert pulses == at
