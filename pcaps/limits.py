"""Bounds on hostile input: each with what it bounds, why it is so large, and what is said where it is reached.

A number stands here if reading capture files needs it, else beside the code that it bounds; either way it
has a row in LIMITS. What is built of constants into a kernel is compiled with it.
"""

from importlib import import_module
from typing import NamedTuple

MAX_RECORD = 1 << 27
MAX_BLOCK = MAX_RECORD + (1 << 17)
MAX_EMPTY = 4096
MAX_INTERFACES = 1 << 16
MAX_ALL_INTERFACES = 1 << 18
MAX_NAME = 256
MAX_TICKS = 1 << 59
LATEST = (1 << 63) // 10**9 - (1 << 31) - 3  # seconds: timeouts have 31 bits
MAX_WINDOW = 1 << 27


class Limit(NamedTuple):
    """One row: `home` is the module and the name of the number, `said` the message at the limit.

    `{limit}` in a message stands for the number.
    """

    home: str
    bounds: str
    why: str
    said: str

    @property
    def name(self) -> str:
        """The constant's name, which messages give too."""
        return self.home.rpartition(".")[2]

    @property
    def value(self) -> int:
        """The number, where it stands."""
        module, _, name = self.home.rpartition(".")
        return int(getattr(import_module(module), name))

    @property
    def message(self) -> str:
        """What is said when it is reached."""
        return f"{self.said.format(limit=f'{self.value:,}')} ({self.name})"


DAMAGE = "the rest is not read"

LIMITS = (
    # --- capture files ---------------------------------------------------------------------------------
    Limit(
        "pcaps.limits.MAX_RECORD",
        "bytes of one packet in a file",
        "libpcap and Wireshark take 128 MiB from D-Bus, more than from any other link",
        "a packet of more than {limit} bytes",
    ),
    Limit(
        "pcaps.limits.MAX_BLOCK",
        "bytes of one pcapng block",
        "a packet and the options behind it",
        "a block of more than {limit} bytes",
    ),
    Limit(
        "pcaps.limits.MAX_EMPTY",
        "packets on end without time and without a byte",
        "a crash leaves zeros at the end of a file, and zeros pack a thousand to one: each 16 are an empty packet",
        "nothing but zeros for {limit} packets on end",
    ),
    Limit(
        "pcaps.limits.MAX_INTERFACES",
        "interfaces in one pcapng section",
        "the old packet block counts them in 16 bits",
        "more than {limit} interfaces in one section",
    ),
    Limit(
        "pcaps.limits.MAX_ALL_INTERFACES",
        "interfaces in all sections of a pcapng file",
        "names are kept for reports",
        "more than {limit} interfaces in all sections",
    ),
    Limit(
        "pcaps.limits.MAX_NAME",
        "characters kept of an interface's name and description",
        "256 characters hold the longest name of Linux (15), BSD and Windows (a GUID in a path)",
        "the rest of the name is left out",
    ),
    Limit(
        "pcaps.limits.MAX_TICKS",
        "ticks in a second of a pcapng clock",
        "the rest of a second times ten fits 63 bits; at 10**18 ticks a 64-bit time ends after 18 seconds",
        "an interface whose clock ticks more often than {limit} times a second",
    ),
    Limit(
        "pcaps.limits.LATEST",
        "seconds before and after 1970",
        "with any timeout added, int64 nanoseconds still hold the time (the year 2194)",
        "the time becomes the limit, and the packet is counted as clamped",
    ),
    Limit(
        "pcaps.capture.MAX_BATCH_PIECES",
        "bytes of the fragments in one batch",
        "a full batch of the longest fragments would hold 4 GiB",
        "the batch ends there",
    ),
    Limit(
        "pcaps.limits.MAX_WINDOW",
        "bytes that one zstd frame may refer back to",
        "what `zstd -d` grants without --long=31 (RFC 8878 section 3.1.1.1.2 asks for 8 MiB at least)",
        "the frame asks for too much memory",
    ),
    # --- headers ---------------------------------------------------------------------------------------
    Limit(
        "pcaps.link.MAX_LINK_HEADERS",
        "headers between the start of a frame and IP",
        "no network nests so deep",
        "status malformed",
    ),
    Limit(
        "pcaps.link_cooked.MAX_TLVS",
        "TLVs of a packet in Linux's netfilter log",
        "Linux writes about twenty",
        "status malformed",
    ),
    Limit(
        "pcaps.tunnel.MAX_LAYERS",
        "tunnel headers of a frame",
        "AWS nests two",
        "what lies deeper is not looked at",
    ),
    Limit(
        "pcaps.wire.MAX_EXTENSION_HEADERS",
        "extension headers of an IPv6 packet",
        "RFC 8200 section 4.1 has each kind once or twice",
        "status no-transport",
    ),
    Limit(
        "pcaps.sctp_header.MAX_CHUNKS",
        "chunks of an SCTP packet that change its association",
        "four bits each fill the column",
        "the chunks behind them are not looked at",
    ),
    # --- crafted packets -------------------------------------------------------------------------------
    Limit("pcaps.expression.MAX_TEXT", "characters of an expression", "a person writes it", "CraftError"),
    Limit("pcaps.expression.MAX_LAYERS", "layers joined by / in a packet", "more than any real stack", "CraftError"),
    Limit("pcaps.expression.MAX_ALL_LAYERS", "layers in a packet and its fields", "scapy's time", "CraftError"),
    Limit("pcaps.expression.MAX_DEPTH", "layers in fields of layers", "scapy builds the deep ones again", "CraftError"),
    Limit("pcaps.expression.MAX_INTEGER", "numbers in an expression", "no field is wider than 128 bits", "CraftError"),
    Limit("pcaps.spread.MAX_PACKETS", "packets of one expression", "ranges multiply", "CraftError"),
    Limit("pcaps.craft.MAX_CHARACTERS", "packets times characters", "scapy's time", "CraftError"),
    Limit("pcaps.craft.MAX_BUILT", "packets times layers", "scapy's time", "CraftError"),
    # --- state that traffic fills -----------------------------------------------------------------------
    Limit(
        "conntrack.fragments.MAX_HELD_BYTES",
        "bytes of fragments that wait, for IPv4 and for IPv6",
        "ipfrag_high_thresh of Linux",
        "warning fragments-limit",
    ),
    Limit(
        "conntrack.table.MAX_CAPACITY",
        "slots of the connection table",
        "960 MiB of memory; nf_conntrack_max and an interface's allowance are lower",
        "reason table-full",
    ),
    Limit(
        "firewall.pending.MAX_WAITING_PACKETS",
        "packets that wait behind an open datagram",
        "rows leave in packet order; about 256 MiB of columns",
        "warning fragments-given-up",
    ),
    Limit(
        "firewall.pending.MAX_WAITING_BYTES",
        "bytes of the fragments among them",
        "memory",
        "warning fragments-given-up",
    ),
)

_ROWS = {row.home: row for row in LIMITS}


def limit_message(name: str) -> str:
    """What is said where one of this module's limits is reached."""
    return _ROWS[f"{__name__}.{name}"].message
