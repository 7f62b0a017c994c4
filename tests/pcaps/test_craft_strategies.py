"""The random packets that decoders are tested with are whole packets, of every kind they promise."""

import pytest
from hypothesis import given, settings
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH
from scapy.packet import Packet

from pcaps.frame import Frame
from tests.pcaps.strategies import frames

pytestmark = pytest.mark.compiled_only


@settings(max_examples=150, deadline=None)
@given(frames())
def test_scapy_reads_back_what_it_built(both: tuple[Frame, Packet]) -> None:
    frame, packet = both
    network = next(layer for layer in (IP, IPv6) if packet.haslayer(layer))
    built = packet[network]
    read = network(frame.data[-len(built) :])
    assert bytes(read) == frame.data[-len(built) :]
    assert (read.src, read.dst) == (built.src, built.dst)
    quotes = sum(isinstance(layer, IP | IPv6) for layer in built.iterpayloads()) > 1
    if quotes or built.haslayer(AH):
        return  # scapy has another name for a quoted transport, and none for what stands behind AH
    for transport in (TCP, UDP):
        assert read.haslayer(transport) == built.haslayer(transport)
        if built.haslayer(transport):
            found, wanted = read[transport], built[transport]
            assert (found.sport, found.dport) == (wanted.sport, wanted.dport)
