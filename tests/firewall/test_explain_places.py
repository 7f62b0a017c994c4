"""Explanations where more than an address tells: bound names, MAC addresses, tunnels, fragments, changed rules."""

from pathlib import Path

import pytest

from firewall import cli
from tests.firewall.explain_cases import CLIENT, OTHER, WEB, WEB_RULES, crafted, ip, tcp

ROUTER_RULES = WEB_RULES.replace("security_groups: [web]}", "security_groups: [web], source_dest_check: false}")
SEEN = ("--eni", "eni-web=crafted")
VXLAN = "IP(src='10.0.9.9', dst='10.0.9.10')/UDP(sport=50000, dport=4789)/VXLAN(vni=7, flags=8)/Ether()/"


def cooked(way: int, packet: str) -> str:
    """As a Linux cooked capture: 0 came in, 4 went out."""
    return f"CookedLinux(pkttype={way}, proto=0x800)/{packet}"


def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, rules: str, *words: str, command: str = "explain") -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(rules)
    with pytest.raises(SystemExit) as ended:
        cli.main([command, *words, "--rules", str(path)])
    out, err = capsys.readouterr()
    assert ended.value.code == 0, err
    return out


FORWARDED = (
    cooked(0, tcp(CLIENT, "192.0.2.80", 40000, 80, "S")),
    cooked(4, tcp("192.0.2.80", CLIENT, 80, 40000, "SA", ", ack=1")),
)


def test_a_packet_for_others_is_told_by_the_bound_name_and_the_capture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = run(capsys, tmp_path, ROUTER_RULES, *crafted(*FORWARDED), *SEEN)
    assert "  ALLOW at eni-web, egress: established\n" in out
    assert "    Its packets were seen at eni-web: --eni eni-web=crafted. The capture says that it went out.\n" in out
    assert "    192.0.2.80 is none of eni-web's addresses, but its source/destination check is off.\n" in out


@pytest.mark.parametrize("command", ["state", "explain"])
def test_the_story_of_a_connection_knows_bound_names(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = run(capsys, tmp_path, ROUTER_RULES, *crafted(*FORWARDED), *SEEN, "--flow", "1", command=command)
    assert "SYN_SENT -> SYN_RECV" in out


def test_what_a_tunnel_carries_is_named_with_the_tunnel(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = run(capsys, tmp_path, WEB_RULES, *crafted(VXLAN + tcp(CLIENT, WEB, 40000, 80, "S")))
    assert "  ALLOW at eni-web, ingress: rule\n" in out
    assert (
        "    It came in VXLAN (10.0.9.9:50000 -> 10.0.9.10:4789 udp, network id 7); what that carries is judged.\n"
        in out
    )


@pytest.mark.parametrize("frame", ["1", "2"])
def test_a_fragment_has_the_ports_and_the_verdict_of_its_datagram(
    frame: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    first = ip(OTHER, WEB, 'UDP(sport=5000, dport=514, len=24)/Raw("12345678")', flags='"MF"', id="9")
    second = ip(OTHER, WEB, 'Raw("12345678")', frag="2", proto="17", id="9")
    out = run(capsys, tmp_path, WEB_RULES, *crafted(first, second), "--packet", frame)
    assert "  DENY at eni-web, ingress: no-ingress-rule\n" in out
    assert "    The datagram was put together, and every fragment has the verdict of the whole.\n" in out
    assert "port: 514 is not 80" in out
    assert "Adding udp 514 from 203.0.113.9/32 to web's ingress rules would admit 1 connection, 2 packets" in out


def test_the_rules_are_those_in_force_at_the_packet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    events = tmp_path / "events.yaml"
    events.write_text("events:\n  - {packet: 2, revoke: ['web:ingress[0]']}\n")
    syns = [tcp(CLIENT, WEB, sport, 80, "S") for sport in (40000, 40001)]
    before, after = (
        run(capsys, tmp_path, WEB_RULES, *crafted(*syns), "--events", str(events), "--packet", frame)
        for frame in ("1", "2")
    )
    assert "SECURITY GROUPS  web:ingress[0] allows it" in before
    assert "SECURITY GROUPS  none of 3 ingress rules allows it" in after
