"""A watch while it goes on: redrawn on a terminal, a line a second in a pipe or file, or JSON lines.

{"counts": {...}}       once a second, and at the end
{"report": {...}}       the last line: what `eniwall replay --json` prints
"""

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from firewall.labels import counted, printable, time_text
from firewall.reports.json_report import result_object
from firewall.reports.result import Result
from firewall.watch import Denied, Seen

if TYPE_CHECKING:
    from rich.text import Text


def answer_text(seen: Seen) -> str:
    """`1,234 packets: 1,200 ALLOW, 30 DENY, 4 EXEMPT, 0 NOT_EVALUATED`."""
    waiting = f" ({seen.waiting:,} wait for fragments)" if seen.waiting else ""
    return f"{counted(seen.packets, 'packet')}{waiting}: " + ", ".join(
        f"{count:,} {verdict}" for verdict, count in seen.rows.items()
    )


def kernel_text(seen: Seen) -> str:
    """`kernel: 1,234 received, 0 dropped`."""
    return f"kernel: {seen.kernel.received:,} received, {seen.kernel.dropped:,} dropped"


def denied_text(denied: Denied) -> str:
    """`12:00:00.123456 DENY eni-web ingress no-ingress-rule tcp/22 from 203.0.113.9 (3 packets)`."""
    return f"{time_text(denied.time)[11:]} {denied.line} ({counted(denied.packets, 'packet')})"


def write(text: str) -> None:
    """Write to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


class _Context:
    """A view that has nothing to open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


class LinesView(_Context):
    """Plain lines: the counts, and below them what was denied since the last."""

    interval = 1.0

    def __init__(self) -> None:
        self._told: set[Denied] = set()

    def show(self, seen: Seen) -> None:
        """See firewall.watch.View."""
        new = [denied for denied in seen.denied if denied not in self._told]
        self._told = set(seen.denied)
        lines = [f"{seen.seconds:.0f} s  {answer_text(seen)}; {kernel_text(seen)}"]
        lines += [f"    {denied_text(denied)}" for denied in new]
        write("".join(f"{line}\n" for line in lines))


class JsonView(_Context):
    """JSON lines; times are ns since 1970."""

    interval = 1.0

    def show(self, seen: Seen) -> None:
        """See firewall.watch.View."""
        write(json_line("counts", seen_object(seen)))


class TerminalView:
    """One screenful, redrawn where it stands; it is gone when the watch ends and the report comes."""

    interval = 0.25

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, seen: Seen) -> None:
        """See firewall.watch.View."""
        self._live.update(screen(seen), refresh=True)


def screen(seen: Seen) -> "Text":
    """What the terminal shows."""
    from rich.text import Text

    text = Text()
    text.append(f"{printable(seen.interface)}, {seen.seconds:.0f} s; Ctrl-C ends it and prints the report\n")
    text.append(f"{answer_text(seen)}\n", "bold")
    text.append(f"{kernel_text(seen)}\n", "bold" if seen.kernel.dropped else "")
    text.append("\nlast denied\n" if seen.denied else "\nnothing denied yet")
    text.append("\n".join(f"  {denied_text(denied)}" for denied in reversed(seen.denied)))
    return text


def view_for(*, as_json: bool) -> LinesView | JsonView | TerminalView:
    """The view that fits where standard output goes."""
    if as_json:
        return JsonView()
    return TerminalView() if sys.stdout.isatty() else LinesView()


# --- JSON --------------------------------------------------------------------------------------------
def json_line(name: str, value: dict[str, Any]) -> str:
    """One line that holds one object."""
    return json.dumps({name: value}, sort_keys=True) + "\n"


def seen_object(seen: Seen) -> dict[str, Any]:
    """The counts as plain objects."""
    return {
        "interface": seen.interface,
        "seconds": round(seen.seconds, 3),
        "packets": {"read": seen.packets, "waiting_for_fragments": seen.waiting},
        "rows": seen.rows,
        "kernel": seen.kernel._asdict(),
        "last_denied": [denied._asdict() for denied in seen.denied],
    }


def report_line(result: Result) -> str:
    """The final report on one line."""
    return json_line("report", result_object(result))
