"""The lab as a process: a socket at 127.0.0.1, a temporary folder, and their end."""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from firewall.errors import UsageError
from firewall.lab.app import Lab, make_app
from firewall.lab.begin import Beginning
from firewall.lab.folder import lab_folder
from firewall.lab.guard import Guard
from firewall.lab.workspace import Workspace

HERE = "127.0.0.1"
PATIENCE = 1  # seconds that requests have to end once the lab does
LAST_PATIENCE = 0.2  # seconds that their threads have behind that


def bound_socket(port: int) -> socket.socket:
    """A socket that listens at 127.0.0.1; port 0 is any free one. Raises UsageError."""
    # Named by its protocol, asyncio lets it send at once (TCP_NODELAY); else every answer waits for an ACK, 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HERE, port))
        sock.listen()  # a quick browser waits until the first answer
    except OSError as error:
        sock.close()
        raise UsageError(f"--port {port}: {error.strerror}; leave it out, and a free one is taken") from None
    return sock


def host_names(port: int) -> tuple[str, ...]:
    """What a browser on this machine may call the lab; it leaves port 80 out."""
    named = (f"{HERE}:{port}", f"localhost:{port}")
    return (*named, HERE, "localhost") if port == 80 else named


def has_desktop() -> bool:
    """False where Python would open a text browser in the terminal that runs the lab."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


Handler = Callable[[int, FrameType | None], None]


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the block as its last line would, so that everything in it is put away."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def as_terminated(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGTERM)  # which uvicorn takes over while it runs

    handlers: dict[signal.Signals, Handler] = {signal.SIGINT: end, signal.SIGTERM: end}
    if sys.platform != "win32":  # which has no terminals that hang up
        handlers[signal.SIGHUP] = as_terminated
    before = {each: signal.signal(each, handler) for each, handler in handlers.items()}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def serve(beginning: Beginning, port: int, told: Callable[[str], None], *, open_page: bool) -> None:
    """Answer until a signal; `told` is given the page's address once it can be opened.

    Raises UsageError for a port that cannot be had.
    """
    with (
        ended_by_signals(),
        bound_socket(port) as sock,
        lab_folder() as folder,
    ):
        token = secrets.token_urlsafe(16)
        port = sock.getsockname()[1]
        workspace = Workspace(folder)
        url = f"http://{HERE}:{port}/{token}/"
        told(url)
        if open_page and has_desktop():
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        _run(make_app(Lab(workspace, beginning), token, host_names(port)), sock, workspace.end)
    _leave_threads()


class _Server(uvicorn.Server):
    """Tells the open sessions of its end, so that nothing is judged any more while it waits for its requests."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def _run(app: Guard, sock: socket.socket, ending: Callable[[], None]) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # addresses hold the token
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_trouble)
    _Server(config, ending).run(sockets=[sock])


def _is_trouble(record: logging.LogRecord) -> bool:
    """False for uvicorn's word that it cancels requests as it ends: the guard answers them."""
    return not str(record.msg).startswith("Cancel %s running task")


def _leave_threads() -> None:
    """End the process here where a thread still works: nobody waits for that, and Python would."""
    deadline = time.monotonic() + LAST_PATIENCE
    at_work = [each for each in threading.enumerate() if not (each.daemon or each is threading.main_thread())]
    for thread in at_work:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in at_work):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
