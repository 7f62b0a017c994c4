"""What is open: sessions, each with a folder of its own in one temporary folder, the oldest let go first."""

import secrets
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from firewall.lab.bounds import MAX_SESSIONS, MAX_STEPS
from firewall.lab.material import Material
from firewall.lab.session import Session
from firewall.lab.turns import GoneError


class Workspace:
    """The sessions of one lab, at most `most` and of MAX_STEPS steps together, in the folder that is its own.

    Whoever made the folder removes it.
    """

    def __init__(self, folder: Path, most: int = MAX_SESSIONS) -> None:
        self._folder = folder
        self._most = most
        self._open: OrderedDict[str, Session] = OrderedDict()  # the one used last stands last
        self._lock = Lock()
        self._ended = False

    def place(self) -> Path:
        """A new folder for a session; its name is the session's."""
        place = self._folder / secrets.token_hex(8)
        place.mkdir()
        return place

    def open(self, place: Path, make: Callable[[], Material]) -> dict[str, Any]:
        """A session in a folder that `place` made: what Session.opened says. Where it fails the folder goes again."""
        try:
            session = Session(place, make())
            told = session.opened(self._check)
        except BaseException:
            self.drop(place)
            raise
        with self._lock:
            self._open[session.name] = session
            gone = []
            while len(self._open) > 1 and self._overfull:
                gone.append(self._open.popitem(last=False)[1])
        for each in gone:
            each.turns.end()
            self.drop(self._folder / each.name)
        return told

    def end(self) -> None:
        """Open nothing more; what waits or works for a session, or opens one, ends with GoneError."""
        self._ended = True
        with self._lock:
            for session in self._open.values():
                session.turns.end()

    def _check(self) -> None:
        if self._ended:
            raise GoneError

    @property
    def _overfull(self) -> bool:
        return len(self._open) > self._most or sum(each.size for each in self._open.values()) > MAX_STEPS

    def session(self, name: str) -> Session:
        """An open session. Raises GoneError."""
        with self._lock:
            if name not in self._open:
                raise GoneError
            self._open.move_to_end(name)
            return self._open[name]

    @staticmethod
    def drop(place: Path) -> None:
        """Remove a session's folder."""
        shutil.rmtree(place, ignore_errors=True)
