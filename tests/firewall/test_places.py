"""Where a packet was seen: bound captures, stated directions, MAC addresses, mirrored copies."""

from ipaddress import ip_address, ip_network
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.errors import UsageError
from firewall.interfaces import bound_names
from firewall.labels import Labels
from firewall.model import TCP as TCP_NUMBER
from firewall.model import NetworkInterface, Rule, RuleSet, SecurityGroup
from pcaps.batch import INBOUND, OUTBOUND, UNSTATED, PacketBatch
from pcaps.capture import frames_batch
from pcaps.frame import Frame

WEB, DB, NAT, CLIENT = "10.0.1.10", "10.0.2.30", "10.0.0.5", "198.51.100.7"
MACS = {"eni-web": "02:00:00:00:00:01", "eni-db": "02:00:00:00:00:02", "eni-nat": "02:00:00:00:00:05"}
ROUTER = "02:00:00:00:00:ff"
ETHERNET = 1


def estate(*, checked: bool = True, macs: bool = False, vnis: tuple[int, ...] = ()) -> RuleSet:
    anywhere = ip_network("0.0.0.0/0")
    rules = [Rule("sg", way, 0, TCP_NUMBER, anywhere, (443, 443)) for way in ("ingress", "egress")]
    group = SecurityGroup("sg", "sg", (rules[0],), (rules[1],))
    enis = [
        NetworkInterface("eni-web", (ip_address(WEB),), ("sg",), mirror_vnis=vnis),
        NetworkInterface("eni-db", (ip_address(DB),), ("sg",)),
        NetworkInterface("eni-nat", (ip_address(NAT),), ("sg",), source_dest_check=checked),
    ]
    if macs:
        enis = [
            NetworkInterface(
                eni.interface_id,
                eni.addresses,
                eni.groups,
                MACS[eni.interface_id],
                source_dest_check=eni.source_dest_check,
            )
            for eni in enis
        ]
    return RuleSet({"sg": group}, {eni.interface_id: eni for eni in enis})


def segment(src: str, dst: str, *, mac: tuple[str, str] = (ROUTER, ROUTER), flags: str = "S") -> Any:
    sport, dport = (443, 40000) if "A" in flags else (40000, 443)
    ack = 2 if "A" in flags else 0
    return (
        Ether(src=mac[0], dst=mac[1])
        / IP(src=src, dst=dst)
        / TCP(sport=sport, dport=dport, flags=flags, seq=1, ack=ack)
    )


def batch_of(*packets: Any, capture: int = 0, way: int = UNSTATED, interface: int = 0) -> PacketBatch:
    frames = [Frame(ETHERNET, at, bytes(packet), len(bytes(packet))) for at, packet in enumerate(packets)]
    batch = frames_batch(frames)
    batch.capture[:], batch.way[:], batch.interface[:] = capture, way, interface
    return batch


def with_macs(batch: PacketBatch, *packets: Any) -> PacketBatch:
    numbers = [[int(mac.replace(":", ""), 16) for mac in (each[Ether].src, each[Ether].dst)] for each in packets]
    return PacketBatch(batch.records, batch.pieces, batch.inner, np.array(numbers, np.uint64))


class Said:
    """What the rows of some batches say, one word list a row."""

    def __init__(self, firewall: Firewall, names: tuple[str, ...] = ("a.pcap", "b.pcap")) -> None:
        self.firewall = firewall
        self.names = names

    def __call__(self, *batches: PacketBatch, interfaces: tuple[dict[int, str], ...] = ()) -> list[str]:
        labels, firewall = Labels.of(self.firewall, self.names), self.firewall
        return [
            " ".join(str(row[key]) for key in ("eni", "direction", "reason") if row[key] is not None)
            for batch in batches
            for waiting in firewall._judge(firewall._located(batch, self.names, interfaces))  # noqa: SLF001  (no files)
            for row in row_cells(waiting.settled(), labels)
        ]


def test_a_batch_that_is_read_ahead_counts_when_it_is_judged() -> None:
    firewall = Firewall(estate(), ["eni-web=a.pcap"])
    located = firewall._located(batch_of(segment(WEB, DB)), ("a.pcap",))  # noqa: SLF001  (a reading thread's turn)
    assert firewall.places.unmet == ["a.pcap"]
    twin = firewall.fork()
    list(firewall._judge(located))  # noqa: SLF001  (and a judging thread's)
    assert (firewall.places.unmet, twin.places.unmet) == ([], ["a.pcap"])


# --- bound captures --------------------------------------------------------------------------------------
def test_without_a_binding_a_packet_between_two_interfaces_is_judged_at_both() -> None:
    assert Said(Firewall(estate()))(batch_of(segment(WEB, DB))) == ["eni-web egress rule", "eni-db ingress rule"]


def test_each_of_two_captures_judges_its_copy_at_its_own_interface() -> None:
    said = Said(Firewall(estate(), ["eni-web=a.pcap", "eni-db=b.pcap"]))
    copies = [batch_of(segment(WEB, DB), capture=capture) for capture in (0, 1)]
    assert said(*copies) == ["eni-web egress rule", "eni-db ingress rule"]


def test_an_interface_of_the_capture_is_bound_by_its_name() -> None:
    said = Said(Firewall(estate(), ["eni-web=eth0", "eni-db=eth1"]), ("router.pcapng",))
    names = ({0: "eth0", 1: "eth1"},)
    copies = [batch_of(segment(WEB, DB), interface=number) for number in (0, 1)]
    assert said(*copies, interfaces=names) == ["eni-web egress rule", "eni-db ingress rule"]


def test_a_bound_capture_holds_other_interfaces_packets_as_such() -> None:
    said = Said(Firewall(estate(), ["eni-web=a.pcap"]))
    assert said(batch_of(segment(CLIENT, "10.0.9.9"))) == ["other-interface"]


@pytest.mark.parametrize(
    ("way", "expected"), [(INBOUND, "eni-web ingress rule"), (OUTBOUND, "eni-web egress source-dest-check")]
)
def test_the_direction_that_a_capture_states_comes_before_the_addresses(way: int, expected: str) -> None:
    said = Said(Firewall(estate(), ["eni-web=a.pcap"]))
    assert said(batch_of(segment(CLIENT, WEB), way=way)) == [expected]


@pytest.mark.parametrize(("checked", "reason"), [(True, "source-dest-check"), (False, "rule")])
def test_what_an_interface_forwards_passes_where_its_check_is_off(checked: bool, reason: str) -> None:
    said = Said(Firewall(estate(checked=checked), ["eni-nat=a.pcap"]))
    forwarded = batch_of(segment(DB, CLIENT), way=INBOUND)
    assert said(forwarded) == [f"eni-nat ingress {reason}"]


def test_packets_to_oneself_are_local_in_a_bound_capture_too() -> None:
    assert Said(Firewall(estate(), ["eni-web=a.pcap"]))(batch_of(segment(WEB, WEB))) == ["eni-web local"]


def test_a_name_that_no_packet_comes_under_is_warned_of() -> None:
    firewall = Firewall(estate(), ["eni-web=c.pcap"])
    Said(firewall)(batch_of(segment(WEB, DB)))
    assert firewall.places.unmet == ["c.pcap"]


@pytest.mark.parametrize("word", ["=a.pcap", "eni-web="])
def test_a_binding_needs_both_sides(word: str) -> None:
    with pytest.raises(UsageError, match="write INTERFACE=NAME"):
        bound_names(estate(), [word])


def test_a_capture_belongs_to_one_interface() -> None:
    with pytest.raises(UsageError, match=r"a\.pcap is eni-web's already; a packet is seen at one interface"):
        bound_names(estate(), ["eni-web=a.pcap", "eni-db=a.pcap"])


# --- MAC addresses ------------------------------------------------------------------------------------------
def test_a_mac_tells_what_an_interface_forwards() -> None:
    """A NAT instance: its own address is in neither header, its MAC is in the frame."""
    packets = [
        segment(DB, CLIENT, mac=(ROUTER, MACS["eni-nat"])),
        segment(CLIENT, DB, mac=(ROUTER, MACS["eni-nat"]), flags="SA"),
    ]
    firewall = Firewall(estate(checked=False, macs=True), ["eni-nat"])
    batch = with_macs(batch_of(*packets), *packets)
    assert Said(firewall)(batch) == ["eni-nat ingress rule", "eni-nat ingress established"]
    assert firewall.places.wants_macs


def test_frames_without_known_macs_go_by_their_addresses() -> None:
    packet = segment(WEB, DB)
    firewall = Firewall(estate(macs=True))
    assert Said(firewall)(with_macs(batch_of(packet), packet)) == ["eni-web egress rule", "eni-db ingress rule"]


# --- mirrored copies ----------------------------------------------------------------------------------------
def mirrored(packet: Any, source: str, vni: int = 7) -> Any:
    outer = IP(src=source, dst="10.0.7.7") / UDP(sport=50000, dport=4789) / VXLAN(vni=vni, flags="Instance")
    return Ether(src=ROUTER, dst=ROUTER) / outer / packet


def test_both_copies_of_a_packet_between_mirrored_interfaces_are_judged_each_at_its_own() -> None:
    packet = segment(WEB, DB)
    firewall = Firewall(estate())
    found = Said(firewall)(batch_of(mirrored(packet, WEB), mirrored(packet, DB)))
    assert found == ["eni-web egress rule", "eni-db ingress rule"]
    assert firewall.places.unwrapped == 2
    assert "2 packets in VXLAN or GENEVE judged by what the tunnel carries (tunnel=auto)" in firewall.assumptions


def test_the_network_id_of_a_mirror_session_names_the_interface() -> None:
    """An interface may send mirrored packets from an address that no file tells."""
    packet = mirrored(segment(WEB, DB), "10.0.1.99", vni=1234)
    assert Said(Firewall(estate(vnis=(1234,))))(batch_of(packet)) == ["eni-web egress rule"]


def test_vxlan_that_an_interface_speaks_itself_is_judged_as_udp() -> None:
    packet = mirrored(segment("192.168.0.1", "192.168.0.2"), WEB)
    assert Said(Firewall(estate()))(batch_of(packet)) == ["eni-web egress no-egress-rule"]


@pytest.mark.parametrize(
    ("tunnel", "expected"),
    [
        ("outer", ["eni-web egress no-egress-rule"]),
        ("inner", ["eni-web egress rule"]),
        ("auto", ["eni-web egress rule"]),
    ],
)
def test_how_tunnels_are_read_can_be_chosen(tunnel: str, expected: list[str]) -> None:
    packet = mirrored(segment(WEB, DB), WEB)
    assert Said(Firewall(estate(), tunnel=tunnel))(batch_of(packet)) == expected


def test_a_copy_from_elsewhere_goes_by_its_inner_addresses() -> None:
    packet = mirrored(segment(CLIENT, WEB), "192.0.2.1")
    assert Said(Firewall(estate()))(batch_of(packet)) == ["eni-web ingress rule"]


def test_an_unknown_way_to_read_tunnels_is_refused() -> None:
    with pytest.raises(UsageError, match="--tunnel both: write one of auto, outer, inner"):
        Firewall(estate(), tunnel="both")


def test_packets_without_a_file_go_by_their_addresses_whatever_is_bound() -> None:
    firewall = Firewall(estate(), ["eni-web=a.pcap", "eni-db"])
    assert [row["reason"] for row in firewall.judge(segment(WEB, DB)[IP])] == ["rule", "rule"]


def test_a_mac_of_zeros_names_nobody() -> None:
    eni = NetworkInterface("eni-web", (ip_address(WEB),), ("sg",), "00:00:00:00:00:00")
    assert not Firewall(RuleSet(estate().groups, {"eni-web": eni})).places.wants_macs
