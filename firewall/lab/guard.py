"""Who may ask: this machine's browser, with the token, from the lab's own page.

A page of another site can make a browser ask 127.0.0.1, or point its own name there (DNS rebinding), so the
names that the browser says it asks (Host, RFC 9110 section 7.2) and asks from (Origin, RFC 6454 section 7;
Sec-Fetch-Site) are compared, and the address of everything holds a token that no other page knows.
"""

import asyncio
import json
import secrets
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # The page's own files alone: no inline script or style, no other origin, no frame around it.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",  # captures are private
    "referrer-policy": "no-referrer",  # a link to AWS's pages must not carry the token
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
#: What a browser says of a request that another origin's page began (W3C Fetch Metadata, Sec-Fetch-Site).
ELSEWHERE = (b"cross-site", b"same-site")
ANOTHER = "another page asked; the lab answers its own alone"
ENDED = "the lab has ended"
NO_TOKEN = "this address lacks the token; open the link that eniwall lab printed"  # noqa: S105  (a message)


class Guard:
    """An ASGI application around another: what it refuses never reaches that one."""

    def __init__(self, app: "ASGIApp", token: str, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts
        self._origins = tuple(f"http://{host}" for host in hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """See ASGI; no websocket is opened."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is None:
                await self._answer(scope, receive, _with_headers(send))
            else:
                await _refuse(_with_headers(send), *refusal)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """The application's answer; where the lab ends before there is one, that."""
        started = False

        async def sending(message: "Message") -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:  # the last that a server does to its requests
            if started:
                raise
            await _refuse(send, 503, ENDED)

    def _refusal(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        """Status and reason, or None for a request that may pass."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        hosts = [value.decode("latin-1").lower() for value in headers.get(b"host", [])]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, f"the lab answers to {self._hosts[0]} alone"
        if any(value.decode("latin-1").lower() not in self._origins for value in headers.get(b"origin", [])):
            return 403, ANOTHER
        if scope["method"] == "POST" and any(value in ELSEWHERE for value in headers.get(b"sec-fetch-site", [])):
            return 403, ANOTHER
        given = scope["path"].lstrip("/").partition("/")[0].encode("utf-8", "replace")
        if not secrets.compare_digest(given, self._token):
            return 404, NO_TOKEN
        return None


def _with_headers(send: "Send") -> "Send":
    """The same, with HEADERS on every answer."""

    async def sending(message: "Message") -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending


async def _refuse(send: "Send", status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
