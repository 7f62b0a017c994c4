"""Whose turn it is to work on a session: one request at a time, and those that wait hold no thread."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Pulse = Callable[[], None]  # called now and then while work is done; raises what ends it


class SupersededError(Exception):
    """Newer rules came for the session, or nobody waits for the answer any more."""


class GoneError(Exception):
    """The session is not open (any more)."""

    def __init__(self) -> None:
        super().__init__("this capture is not open any more: open it again")


class Turns:
    """The requests of one session. All but the pulses are for the event loop's thread."""

    def __init__(self) -> None:
        self._free = asyncio.Lock()
        self._newest = 0
        self._ended = False

    @asynccontextmanager
    async def one(self, gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[Pulse]:
        """Work for a client that is asked whether it is `gone` once the turn has come.

        Raises SupersededError where it is, GoneError where the session has ended by then, as the pulse does.
        """
        async with self._free:
            self._check()
            await _stay(gone)
            yield self._check

    @asynccontextmanager
    async def newest(self, gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[Pulse]:
        """The same for work in vain once somebody comes here behind: SupersededError, while waiting or working."""
        self._newest += 1
        mine = self._newest

        def check() -> None:
            self._check()
            if mine != self._newest:
                raise SupersededError("superseded: newer rules came before these were judged")

        async with self._free:
            check()
            await _stay(gone)
            yield check

    def end(self) -> None:
        """What waits or works ends with GoneError. Any thread may call it."""
        self._ended = True

    def _check(self) -> None:
        if self._ended:
            raise GoneError


async def _stay(gone: Callable[[], Awaitable[bool]]) -> None:
    if await gone():
        raise SupersededError("superseded: nobody waits for this answer any more")
