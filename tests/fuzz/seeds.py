"""What the mutations start from: the recorded samples, and small captures and frames made by hand."""

import gzip
import struct

import lz4.frame
import zstandard

from pcaps import samples
from pcaps.craft import packets_to_frames, parse
from pcaps.frame import Frame
from pcaps.savefile import PCAP_MAGICS
from tests.fuzz.targets import pack_frame
from tests.pcaps.link_frames import FRAMES
from tests.pcaps.test_capture_files import ARP, FRAME, block, enhanced, interface, pcap, section

MOST = 12 << 10  # bytes of one seed
A_SAMPLE = 40  # frames of a sample
ENDS = 'IP(src="198.51.100.7", dst="10.0.1.10")'
ENDS6 = 'IPv6(src="2001:db8::7", dst="2001:db8:1::10")'
CRAFTED = (
    f'{ENDS}/TCP(sport=40000, dport=443, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7)])',
    f'{ENDS}/TCP(sport=40000, flags="A", options=[("SAck", (10, 20, 30, 40)), ("Timestamp", (1, 2))])/"data"',
    f'{ENDS}/UDP(sport=40000, dport=53)/"question"',
    f"{ENDS}/ICMP(type=8, id=7)",
    f'{ENDS}/ICMP(type=3, code=1)/IP(src="10.0.1.10", dst="198.51.100.7")/TCP(sport=443, dport=40000)',
    f"{ENDS}/SCTP(sport=40000, dport=9, tag=7)/SCTPChunkInit(init_tag=9)",
    f'{ENDS}/GRE(proto=2048)/"inside"',
    f'{ENDS[:-1]}, flags="MF", id=7, proto=17)/"first fragment"',
    f'{ENDS[:-1]}, frag=3, id=7, proto=17)/"last fragment"',
    f'{ENDS6}/TCP(sport=40000, dport=443, flags="S")',
    f'{ENDS6}/IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/UDP(sport=40000, dport=53)/"question"',
    f'{ENDS6}/IPv6ExtHdrRouting()/IPv6ExtHdrFragment(m=1, id=9, nh=17)/"first fragment"',
    f'{ENDS6}/ICMPv6DestUnreach()/IPv6(src="2001:db8:1::10", dst="2001:db8::7")/UDP(sport=53, dport=40000)',
)


def crafted() -> list[Frame]:
    """Each kind of transport header once."""
    return packets_to_frames([packet for text in CRAFTED for packet in parse(text)])


def sample_files() -> dict[str, bytes]:
    """The recorded captures, unpacked, by name."""
    found = {}
    for name in samples.SAMPLES:
        path = samples.sample(name)
        data = path.read_bytes()
        found[path.name] = gzip.decompress(data) if path.suffix == ".gz" else data
    return found


def sample_frames(data: bytes) -> list[bytes]:
    """The first frames of a little-endian classic pcap."""
    frames: list[bytes] = []
    at = 24
    while at + 16 <= len(data) and len(frames) < A_SAMPLE:
        (length,) = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return frames


# --- files ------------------------------------------------------------------------------------------------
def pcap_seeds() -> list[bytes]:
    """Every magic, several link types, packed and cut."""
    found = [data[:MOST] for name, data in sample_files().items() if not name.endswith(".pcapng")]
    found += [longer_headers(magic, extra) for magic in PCAP_MAGICS for extra in (0, 4, 8, 12)]
    for cases in FRAMES.values():
        found += [pcap([case.data] * 2, link=case.link) for case in cases[::3]]
    plain = pcap([FRAME, ARP, FRAME])
    found += [gzip.compress(plain), zstandard.ZstdCompressor().compress(plain), lz4.frame.compress(plain)]
    return [*found, plain + bytes(160), plain[:-9], b""]


def longer_headers(magic: bytes, extra: int) -> bytes:
    """Four packets whose record headers have `extra` more bytes than usual."""
    order, _ = PCAP_MAGICS[magic]
    record = struct.pack(order + "IIII", 1_700_000_000, 5, len(FRAME), len(FRAME)) + bytes(extra) + FRAME
    return magic + pcap([], order)[4:] + record * 4


def pcapng_seeds() -> list[bytes]:
    """Sections of both byte orders, every block and option that is read."""
    found = [data[:MOST] for name, data in sample_files().items() if name.endswith(".pcapng")]
    clocks: tuple[dict[int, bytes], ...] = (
        {},
        {9: b"\x09"},
        {9: b"\x8a", 14: b"\1\0\0\0\0\0\0\0"},
        {2: b"eth0", 3: b"uplink", 9: b"\x06"},
    )
    flags = struct.pack("<HHIHH", 2, 4, 1, 0, 0)
    for order in "<>":
        for options in clocks:
            packets = enhanced(order, 0, 1 << 40, FRAME) + enhanced(order, 0, 1 << 41, ARP, 99)
            found.append(section(order) + interface(order, options=options) + packets)
        simple = block(order, 3, struct.pack(order + "I", len(FRAME)) + FRAME)
        old = block(order, 2, struct.pack(order + "HHIIII", 0, 0, 1, 2, len(ARP), len(ARP)) + ARP)
        others = b"".join(block(order, kind, b"otherwise") for kind in (4, 5, 9, 10, 0x0BAD, 0x204))
        found.append(section(order) + interface(order, snaplen=40) + interface(order, 101) + simple + others + old)
    stated = struct.pack("<IIIII", 0, 0, 0, 56, 56) + FRAME.ljust(56, b"\0")[:56] + flags
    both = section("<") + interface("<") + block("<", 6, stated)
    both += section(">") + interface(">") + enhanced(">", 0, 1, ARP)
    return [*found, both, gzip.compress(both), section("<") + interface("<") * 50 + enhanced("<", 49, 0, FRAME)]


# --- frames -------------------------------------------------------------------------------------------------
def decode_seeds() -> list[bytes]:
    """Every link layer, every transport, and what real programs sent."""
    found = [pack_frame(case.link, case.data) for cases in FRAMES.values() for case in cases]
    found += [pack_frame(frame.link, frame.data) for frame in crafted()]
    for name, data in sample_files().items():
        if name.endswith((".pcap", ".gz")):
            found += [pack_frame(1, frame, 9) for frame in sample_frames(data)[::4]]
    return found


def vxlan(inside: bytes) -> bytes:
    """An Ethernet frame in VXLAN in UDP in IPv4 in Ethernet."""
    return _udp(4789, b"\x08\0\0\0\0\0\x09\0" + inside)


def geneve(inside: bytes, protocol: int = 0x6558, options: bytes = b"") -> bytes:
    """A frame or an IP packet in GENEVE in UDP in IPv4 in Ethernet."""
    head = bytes([len(options) // 4, 0]) + protocol.to_bytes(2, "big") + b"\0\0\x09\0"
    return _udp(6081, head + options + inside)


def _udp(port: int, payload: bytes) -> bytes:
    length = min(8 + len(payload), 0xFFFF - 20)
    udp = struct.pack(">HHHH", 50000, port, length, 0)
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + length, 1, 0, 64, 17, 0, 0x0A00010A, 0x0A000909)
    return FRAME[:14] + ip + udp + payload


def tunnel_seeds() -> list[bytes]:
    """One tunnel, tunnels in tunnels, and what AWS nests."""
    inside = [FRAME, ARP, *(frame.data for frame in crafted())]
    found = []
    for data in inside:
        found += [vxlan(data), geneve(vxlan(data)), geneve(data, 0x0800 if data[0] >> 4 == 4 else 0x86DD, bytes(8))]
    deep = FRAME
    for _ in range(6):
        deep = geneve(deep)
        found.append(deep)
    tagged = vxlan(FRAME[:12] + b"\x81\0\0\x07" + FRAME[12:])
    return [pack_frame(1, data) for data in [*found, tagged, tagged + bytes(30)]]


SEEDS = {"pcap": pcap_seeds, "pcapng": pcapng_seeds, "decode": decode_seeds, "tunnel": tunnel_seeds}
