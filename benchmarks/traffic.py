"""What happens in a synthetic capture: flows, and the packets of each with their true TCP numbers.

Sizes of flows are Pareto-distributed, as those of real traffic are (Crovella and Bestavros 1997,
"Self-similarity in World Wide Web traffic"). 85 % of packets are TCP, 13 % UDP, 2 % ICMP echo; a
tenth of the flows are IPv6; 5 % of the flows are single SYNs to closed ports.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.plan import Plan

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TCP, UDP, ICMP, SCAN = range(4)  # kinds of flow; a scan is one SYN
FIN_CLOSE, RST_CLOSE, UNFINISHED = range(3)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

UDP_PACKETS, ICMP_PACKETS = 0.13, 0.02
UDP_FLOWS, ICMP_FLOWS, SCAN_FLOWS, IPV6_FLOWS, OUTBOUND_FLOWS, UPLOADS = 0.25, 0.05, 0.05, 0.1, 0.2, 0.2
LEAST_TCP, LEAST_OTHER = 8, 2  # handshake 3, request, answer, close 3; question and answer
PARETO_SHAPE = 1.2
CLOSES = (0.7, 0.15, 0.15)
HTTPS, DNS = 443, 53
TCP_SERVICES, TCP_SHARES = (HTTPS, 80, 22), (0.7, 0.25, 0.05)
CLOSED_PORTS = (21, 23, 25, 135, 139, 445, 1433, 3306, 3389, 5432, 5900, 6379, 8080, 9200, 27017)
MSS = 1448  # with timestamps on Ethernet
DATA_SIZES, DATA_SHARES = (100, 600, MSS), (0.2, 0.2, 0.6)
FLOWS_A_HOST = 8
MAX_HOSTS = 1 << 17  # 198.18.0.0/15
FIRST_PORT = 32768
FLOWS_AT_A_TIME = 1 << 14  # so many of a plan's flows have their packets drawn in one go


class Flows(NamedTuple):
    """One row a flow. The client speaks first; `outbound` means that it is the interface."""

    kind: Ints
    size: Ints  # packets
    ipv6: Bools
    outbound: Bools
    upload: Bools  # the client sends the data
    close: Ints
    interface: Ints  # counted from 0
    host: Ints  # the other end, counted from 0
    client_port: Ints  # ICMP: the identifier
    service: Ints
    client_isn: Ints
    server_isn: Ints
    start: NDArray[np.float64]  # of the capture's duration, 0 to 1
    duration: NDArray[np.float64]


class Packets(NamedTuple):
    """One row a packet, 20 bytes of columns. `position` counts from 0 within its flow."""

    flow: NDArray[np.int32]
    position: NDArray[np.int32]
    from_client: Bools
    flags: NDArray[np.uint8]  # 0 unless TCP
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    payload: NDArray[np.uint16]

    def take(self, rows: NDArray[np.intp] | slice) -> "Packets":
        """The packets of these rows."""
        return Packets._make(column[rows] for column in self)


COLUMNS = (np.int32, np.int32, np.bool_, np.uint8, np.uint32, np.uint32, np.uint16)


def draw_flows(rng: np.random.Generator, plan: Plan) -> Flows:
    """The flows of a plan; their sizes add up to its packets."""
    kind, size = _scan_sizes(plan) if plan.scan else _mixed_sizes(rng, plan)
    flows = len(kind)
    outbound = (rng.random(flows) < OUTBOUND_FLOWS) & ((kind == TCP) | (kind == UDP)) & (not plan.scan)
    close = rng.choice(3, flows, p=CLOSES)
    close[size < LEAST_TCP] = UNFINISHED
    hosts = min(MAX_HOSTS, max(1, flows // FLOWS_A_HOST))
    number = np.arange(flows)
    start = rng.random(flows)
    return Flows(
        kind=kind,
        size=size,
        ipv6=rng.random(flows) < IPV6_FLOWS,
        outbound=outbound,
        upload=rng.random(flows) < UPLOADS,
        close=close,
        interface=rng.integers(0, plan.interfaces, flows),
        host=number % hosts,
        client_port=FIRST_PORT + number // hosts,  # so no two flows share host and port
        service=_services(rng, kind, outbound, plan),
        client_isn=rng.integers(0, 1 << 32, flows),
        server_isn=rng.integers(0, 1 << 32, flows),
        start=start,
        duration=(1 - start) * rng.random(flows),
    )


def _scan_sizes(plan: Plan) -> tuple[Ints, Ints]:
    return np.full(plan.packets, SCAN), np.ones(plan.packets, np.int64)


def _mixed_sizes(rng: np.random.Generator, plan: Plan) -> tuple[Ints, Ints]:
    """Kind and size of each flow, in random order."""
    scans = min(round(plan.flows * SCAN_FLOWS), plan.packets // 20)
    udp = _sizes(rng, round(plan.flows * UDP_FLOWS), round(plan.packets * UDP_PACKETS), LEAST_OTHER)
    icmp = _sizes(rng, round(plan.flows * ICMP_FLOWS), round(plan.packets * ICMP_PACKETS), LEAST_OTHER)
    left = plan.packets - scans - udp.sum() - icmp.sum()
    tcp = _sizes(rng, max(1, plan.flows - scans - len(udp) - len(icmp)), int(left), LEAST_TCP)
    size = np.concatenate([tcp, udp, icmp, np.ones(scans, np.int64)])
    kind = np.repeat([TCP, UDP, ICMP, SCAN], [len(tcp), len(udp), len(icmp), scans])
    order = rng.permutation(len(size))
    return kind[order], size[order]


def _sizes(rng: np.random.Generator, flows: int, packets: int, least: int) -> Ints:
    """Heavy-tailed sizes that add up to `packets`; fewer flows where each could not have `least`."""
    flows = min(flows, max(1, packets // least))
    if not flows or not packets:
        return np.zeros(0, np.int64)
    least = min(least, packets // flows)
    weight = rng.pareto(PARETO_SHAPE, flows)
    sizes: Ints = least + (weight / weight.sum() * (packets - least * flows)).astype(np.int64)
    sizes[sizes.argmax()] += packets - sizes.sum()
    return sizes


def _services(rng: np.random.Generator, kind: Ints, outbound: Bools, plan: Plan) -> Ints:
    """The server's port."""
    flows = len(kind)
    if plan.scan:
        return np.full(flows, HTTPS)
    tcp = np.where(outbound, HTTPS, rng.choice(TCP_SERVICES, flows, p=TCP_SHARES))
    udp = np.where(outbound, DNS, HTTPS)
    closed = rng.choice(CLOSED_PORTS, flows)
    return np.choose(kind, [tcp, udp, np.zeros(flows, np.int64), closed])


def draw_packets(rng: np.random.Generator, flows: Flows) -> tuple[Packets, NDArray[np.intp]]:
    """The packets of the flows, flow by flow, and their order in the capture.

    Flows are drawn some at a time, so that what is held beside the columns does not grow with the plan.
    """
    packets = Packets(*(np.empty(int(flows.size.sum()), kind) for kind in COLUMNS))  # type: ignore[arg-type]  # by place
    moment = np.empty(len(packets.flow))
    filled = 0
    for start in range(0, len(flows.size), FLOWS_AT_A_TIME):
        some = Flows._make(column[start : start + FLOWS_AT_A_TIME] for column in flows)
        drawn = _draw(rng, some, start)
        stop = filled + len(drawn.flow)
        for whole, part in zip(map(np.asarray, packets), map(np.asarray, drawn), strict=True):
            whole[filled:stop] = part
        flow = drawn.flow - start
        moment[filled:stop] = some.start[flow] + drawn.position / some.size[flow] * some.duration[flow]
        filled = stop
    return packets, np.argsort(moment, kind="stable")  # a flow's packets keep their order


def _draw(rng: np.random.Generator, flows: Flows, number: int) -> Packets:
    """The packets of these flows, the first of which has this number; columns as wide as numpy made them."""
    flow = np.repeat(np.arange(len(flows.size)), flows.size)
    first = np.cumsum(flows.size) - flows.size
    position = np.arange(len(flow)) - first[flow]
    from_client, flags, payload = _conversation(rng, flows, flow, position)
    length = payload + ((flags & (SYN | FIN)) != 0)
    sent_by_client = _sent_before(np.where(from_client, length, 0), first, flow)
    sent_by_server = _sent_before(np.where(from_client, 0, length), first, flow)
    client_next = (flows.client_isn[flow] + sent_by_client) & 0xFFFFFFFF
    server_next = (flows.server_isn[flow] + sent_by_server) & 0xFFFFFFFF
    seq = np.where(from_client, client_next, server_next)
    ack = np.where(from_client, server_next, client_next) * ((flags & ACK) != 0)
    return Packets(flow + number, position, from_client, flags, seq, ack, payload)  # type: ignore[arg-type]  # narrowed by draw_packets


def _sent_before(length: Ints, first: Ints, flow: Ints) -> Ints:
    """Sequence numbers used up before each packet, within its flow."""
    before: Ints = np.cumsum(length) - length
    within: Ints = before - before[first][flow]
    return within


def _conversation(rng: np.random.Generator, flows: Flows, flow: Ints, position: Ints) -> tuple[Bools, Ints, Ints]:
    """Who sends each packet, its TCP flags, and its payload in bytes.

    TCP: SYN, SYN-ACK, ACK; then by threes one segment of the side that asks and two of the side
    that sends data, so that never more than two are unacknowledged; then the close.
    """
    kind, upload = flows.kind[flow], flows.upload[flow]
    left = flows.size[flow] - 1 - position
    tcp = kind == TCP
    turn = (position - 3) % 3  # 0: the asking side
    asks = turn == 0
    from_client = np.where(tcp & (position >= 3), asks != upload, position % 2 == 0)
    data = rng.choice(DATA_SIZES, len(flow), p=DATA_SHARES)
    again = rng.random(len(flow)) < 0.1  # it asks again while it acknowledges
    asked = np.where((position == 3) | again, 200, 0)
    payload = np.where(asks, asked, data)
    flags = np.where(payload > 0, PSH | ACK, ACK)
    fin, rst = tcp & (flows.close[flow] == FIN_CLOSE), tcp & (flows.close[flow] == RST_CLOSE)
    for which, client, bits in (
        (position == 0, True, SYN),
        (position == 1, False, SYN | ACK),
        (position == 2, True, ACK),
        (fin & (left == 2), True, FIN | ACK),
        (fin & (left == 1), False, FIN | ACK),
        (fin & (left == 0), True, ACK),
        (rst & (left == 0), True, RST | ACK),
    ):
        rows = which & (tcp | (kind == SCAN))
        from_client[rows], flags[rows], payload[rows] = client, bits, 0
    flags[(kind == UDP) | (kind == ICMP)] = 0
    dns = flows.service[flow] == DNS
    udp_payload = np.where(from_client, np.where(dns, 40, 60), np.where(dns, 200, 1200))
    return from_client, flags, np.where(kind == UDP, udp_payload, np.where(kind == ICMP, 56, payload))
