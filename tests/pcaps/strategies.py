"""Hypothesis strategies: random packets of every kind that the decoder reads, built by scapy.

`frames()` gives a Frame and the scapy packet that it was built from, which says what a decoder
should find. Packets are small: scapy takes about a millisecond to build one.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback, LoopbackOpenBSD
from scapy.layers.sctp import SCTP, SCTPChunkData, SCTPChunkInit
from scapy.packet import Packet, Raw

from pcaps.craft import packets_to_frames
from pcaps.frame import Frame

BYTE, SHORT, WORD = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
ADDRESSES = {
    4: st.integers(0, (1 << 32) - 1).map(lambda n: ".".join(str(n >> shift & 0xFF) for shift in (24, 16, 8, 0))),
    6: st.ip_addresses(v=6).map(str),
}
DATA = st.binary(max_size=40)
OTHER_PROTOCOLS = (50, 253)  # ESP, experiments (RFC 3692): nothing behind IP is read

# --- TCP -------------------------------------------------------------------------------------------
TCP_OPTION = st.one_of(
    st.just(("NOP", None)),
    st.tuples(st.just("MSS"), SHORT),
    st.tuples(st.just("WScale"), BYTE),
    st.just(("SAckOK", b"")),
    st.tuples(st.just("Timestamp"), st.tuples(WORD, WORD)),
    st.integers(1, 3).flatmap(lambda n: st.tuples(st.just("SAck"), st.tuples(*[WORD] * (2 * n)))),
)
OPTION_LENGTHS = {"NOP": 1, "MSS": 4, "WScale": 3, "SAckOK": 2, "Timestamp": 10}
MOST_OPTIONS = 40  # bytes behind the fixed TCP header


def options_length(options: list[tuple[str, Any]]) -> int:
    return sum(OPTION_LENGTHS.get(name) or 2 + 4 * len(value) for name, value in options)


@st.composite
def tcp_segments(draw: st.DrawFn) -> Packet:
    options = draw(st.lists(TCP_OPTION, max_size=5).filter(lambda each: options_length(each) <= MOST_OPTIONS))
    return TCP(
        sport=draw(SHORT),
        dport=draw(SHORT),
        seq=draw(WORD),
        ack=draw(WORD),
        flags=draw(BYTE),
        window=draw(SHORT),
        options=options,
    ) / Raw(draw(DATA))


# --- the other transports ------------------------------------------------------------------------------
UDP_DATAGRAMS = st.builds(lambda s, d, data: UDP(sport=s, dport=d) / Raw(data), SHORT, SHORT, DATA)
SCTP_PACKETS = st.builds(
    lambda s, d, tag, chunk: SCTP(sport=s, dport=d, tag=tag) / chunk,
    SHORT,
    SHORT,
    WORD,
    st.one_of(st.builds(lambda tag: SCTPChunkInit(init_tag=tag), WORD), st.just(SCTPChunkData(data=b"data"))),
)
GRE_PACKETS = st.builds(
    lambda keyed, key, data: GRE(proto=0x88B5, key_present=keyed, key=key) / Raw(data),
    st.integers(0, 1),
    WORD,
    DATA,
)
ICMP_QUERIES = st.builds(
    lambda kind, identifier, sequence, data: ICMP(type=kind, id=identifier, seq=sequence) / Raw(data),
    st.sampled_from([0, 8, 13, 14, 15, 16]),
    SHORT,
    SHORT,
    DATA,
)
ICMPV6_ECHOES = st.builds(
    lambda layer, identifier, sequence, data: layer(id=identifier, seq=sequence, data=data),
    st.sampled_from([ICMPv6EchoRequest, ICMPv6EchoReply]),
    SHORT,
    SHORT,
    DATA,
)
NEIGHBOUR_DISCOVERY = st.one_of(
    st.just(ICMPv6ND_RS()),
    st.just(ICMPv6ND_RA()),
    st.builds(lambda target: ICMPv6ND_NS(tgt=target), ADDRESSES[6]),
    st.builds(lambda target: ICMPv6ND_NA(tgt=target), ADDRESSES[6]),
)


# --- IP ------------------------------------------------------------------------------------------------
IPV4_OPTIONS = st.lists(
    st.one_of(
        st.just(IPOption_NOP()),
        st.just(IPOption_Router_Alert()),
        st.lists(ADDRESSES[4], min_size=1, max_size=2).map(lambda routers: IPOption_RR(routers=routers)),
    ),
    max_size=3,
)
EXTENSION_HEADERS = st.one_of(
    st.just(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])),
    st.builds(lambda hops: IPv6ExtHdrRouting(addresses=hops, segleft=0), st.lists(ADDRESSES[6], max_size=2)),
    st.builds(lambda number: IPv6ExtHdrFragment(id=number, offset=0, m=0), WORD),  # atomic, RFC 6946
    # RFC 4302 section 2.2: the length is in words, less two.
    st.builds(lambda spi, icv: AH(spi=spi, icv=icv, payloadlen=1 + len(icv) // 4), WORD, st.sampled_from([b"a" * 12])),
)


NEXT_HEADERS = {
    TCP: 6,
    UDP: 17,
    GRE: 47,
    SCTP: 132,
    IPv6ExtHdrRouting: 43,
    IPv6ExtHdrFragment: 44,
    AH: 51,
    IPv6ExtHdrDestOpt: 60,
}  # all else is ICMPv6


@st.composite
def ipv4_packets(draw: st.DrawFn, transport: st.SearchStrategy[Packet]) -> Packet:
    ip = IP(
        src=draw(ADDRESSES[4]),
        dst=draw(ADDRESSES[4]),
        ttl=draw(BYTE),
        id=draw(SHORT),
        flags=draw(st.sampled_from(["", "DF"])),
        options=draw(IPV4_OPTIONS),
    )
    return ip / draw(transport)


@st.composite
def ipv6_packets(draw: st.DrawFn, transport: st.SearchStrategy[Packet]) -> Packet:
    packet: Packet = IPv6(src=draw(ADDRESSES[6]), dst=draw(ADDRESSES[6]), hlim=draw(BYTE), tc=draw(BYTE))
    if draw(st.booleans()):  # only ever the first, RFC 8200 section 4.1
        packet /= IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * draw(st.integers(0, 12)))])
    for header in draw(st.lists(EXTENSION_HEADERS, max_size=3)):
        packet /= header.copy()
    packet /= draw(transport)
    for outer, inner in pairwise(packet.iterpayloads()):
        if isinstance(outer, AH):  # scapy knows no number for what follows this header
            outer.nh = NEXT_HEADERS.get(type(inner), 58)
    return packet


IPV4_TRANSPORT = st.one_of(tcp_segments(), UDP_DATAGRAMS, SCTP_PACKETS, GRE_PACKETS, ICMP_QUERIES)
IPV6_TRANSPORT = st.one_of(tcp_segments(), UDP_DATAGRAMS, SCTP_PACKETS, GRE_PACKETS, ICMPV6_ECHOES)
IPV4_ERRORS = st.builds(
    lambda kind, code, quoted: ICMP(type=kind, code=code) / quoted,
    st.sampled_from([3, 4, 5, 11, 12]),
    st.integers(0, 5),
    ipv4_packets(IPV4_TRANSPORT),
)
IPV6_ERRORS = st.builds(
    lambda layer, quoted: layer() / quoted,
    st.sampled_from([ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, ICMPv6ParamProblem]),
    ipv6_packets(IPV6_TRANSPORT),
)


@st.composite
def ip_packets(draw: st.DrawFn) -> Packet:
    """An IP packet of either family."""
    data = DATA.map(Raw)
    kind = draw(st.sampled_from([4, 6, "other"]))
    if kind == 4:
        return draw(ipv4_packets(st.one_of(IPV4_TRANSPORT, IPV4_ERRORS)))
    if kind == 6:
        return draw(ipv6_packets(st.one_of(IPV6_TRANSPORT, IPV6_ERRORS, NEIGHBOUR_DISCOVERY)))
    number = draw(st.sampled_from(OTHER_PROTOCOLS))
    if draw(st.booleans()):
        packet = draw(ipv4_packets(data))
        packet.proto = number
    else:
        packet = draw(ipv6_packets(data))
        headers = list(packet.iterpayloads())[:-1]
        headers[-1].nh = number
    return packet


# --- link layers -----------------------------------------------------------------------------------------
@st.composite
def frames(draw: st.DrawFn) -> tuple[Frame, Packet]:
    """A frame of any link type that is decoded, and the scapy packet that it was built from."""
    ip = draw(ip_packets())
    inet6 = isinstance(ip, IPv6)
    vlans = st.integers(0, 4095)
    outer: dict[str, Callable[[], Packet]] = {
        "ethernet": lambda: Ether() / ip,
        "vlan": lambda: Ether() / Dot1Q(vlan=draw(vlans)) / ip,
        "qinq": lambda: (
            Ether() / draw(st.sampled_from([Dot1AD, Dot1Q]))(vlan=draw(vlans)) / Dot1Q(vlan=draw(vlans)) / ip
        ),
        "sll": lambda: CookedLinux() / ip,
        "sll2": lambda: CookedLinuxV2() / ip,
        "null": lambda: Loopback(type=draw(st.sampled_from([24, 28, 30])) if inet6 else 2) / ip,
        "loop": lambda: LoopbackOpenBSD(type=24 if inet6 else 2) / ip,
        "raw": lambda: ip,
    }
    packet = outer[draw(st.sampled_from(list(outer)))]()
    packet.time = draw(st.integers(0, 1 << 31))
    (frame,) = packets_to_frames(packet)
    return frame, packet
