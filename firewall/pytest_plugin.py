"""For pytest: assertions about security groups whose failures explain themselves.

    from firewall import Firewall
    from firewall.pytest_plugin import assert_allowed, assert_denied
    from scapy.layers.inet import IP, TCP

    def test_nobody_reaches_ssh() -> None:
        fw = Firewall.from_file("web.yaml")
        assert_allowed(fw, IP(src="198.51.100.7", dst="10.0.1.10") / TCP(dport=80))
        assert_denied(fw, IP(src="198.51.100.7", dst="10.0.1.10") / TCP(dport=22), reason="no-ingress-rule")

The packet is judged, so that the table goes on as with Firewall.judge: a reply may be asserted behind its request.
pytest loads this module on every start: it imports nothing but pytest until it is used.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firewall.engine import Firewall
    from firewall.explain.phases import Explanation

Rows = list[dict[str, Any]]
PASSING = ("ALLOW", "EXEMPT")
INCOMPLETE = "fragment-incomplete"


def assert_allowed(firewall: "Firewall", packet: Any) -> "list[Explanation]":
    """Judge scapy packets, one or several, and fail unless each is allowed, or exempt, wherever it is judged.

    Gives back their explanations.
    """
    __tracebackhide__ = True
    return _judged(firewall, packet, "allowed", lambda verdict, _: verdict in PASSING)


def assert_denied(firewall: "Firewall", packet: Any, reason: str | None = None) -> "list[Explanation]":
    """Judge scapy packets, one or several, and fail unless each is denied; `reason` says by which reason.

    Gives back their explanations. Raises ValueError for a reason that no denial has.
    """
    __tracebackhide__ = True
    _check_reason(reason)
    expected = "denied" if reason is None else f"denied as {reason}"
    return _judged(firewall, packet, expected, lambda verdict, said: verdict == "DENY" and reason in (None, said))


def _judged(firewall: "Firewall", packet: Any, expected: str, holds: Callable[[str, str], bool]) -> "list[Explanation]":
    __tracebackhide__ = True
    from firewall.explain.explainer import explained

    before = firewall.fork()
    found = explained(firewall, packet)
    if not found:
        pytest.fail("there is no packet to judge", pytrace=False)
    for each, (verdict, reason) in zip(found, _settled(before, packet, found), strict=True):
        if not holds(verdict, reason):
            told = f"expected the packet to be {expected}, but it is {verdict} {reason}"
            pytest.fail(f"{told}\n\n{each}", pytrace=False)
    return found


def _settled(before: "Firewall", packet: Any, found: "list[Explanation]") -> list[tuple[str, str]]:
    """Verdict and reason of each packet; of a fragment those of its datagram, which may become whole later."""
    if not any(each.reason == INCOMPLETE for each in found):
        return [(each.verdict, each.reason) for each in found]
    rows = {row["packet"]: (str(row["verdict"]), str(row["reason"])) for row in before.judge(packet)}
    return [
        rows[number] if each.reason == INCOMPLETE else (each.verdict, each.reason)
        for number, each in enumerate(found, start=1)
    ]


def _check_reason(reason: str | None) -> None:
    from firewall.verdict import DENY, REASONS

    words = [each.word for each in REASONS if each.verdict == DENY]
    if reason is not None and reason not in words:
        raise ValueError(f"reason={reason!r}: write one of {', '.join(words)}")


@pytest.fixture
def eniwall_replay() -> "Callable[..., Rows]":
    """Replays a capture: `eniwall_replay("a.pcap", "rules.yaml", enis=[...], profile=..., settings={...})`.

    Gives the verdict rows, each a dict by the columns of `eniwall replay -o` (docs/output.md).
    """
    return replayed


def replayed(
    capture: Any,
    *rules: Any,
    enis: Sequence[str] = (),
    profile: str = "aws",
    settings: Mapping[str, str] | None = None,
) -> Rows:
    """The verdict rows of a capture under rule files; see eniwall_replay."""
    from firewall.columns import row_cells
    from firewall.engine import Firewall
    from firewall.labels import Labels
    from pcaps.capture import open_capture

    firewall = Firewall.from_file(*map(str, rules), enis=enis, profile=profile, settings=settings)
    with open_capture(str(capture), verify=firewall.verifies, macs=firewall.places.wants_macs) as opened:
        labels = Labels.of(firewall, opened.names)
        return [row for judged in firewall.replay(opened) for row in row_cells(judged, labels)]
