"""IEEE 802.11 data frames, with and without a radiotap header. Readers as in pcaps.link_ethernet.

Protected frames are not decrypted. Of the fragments of a frame the first is read, of an aggregate
(A-MSDU) the first packet.
"""

from pcaps.accelerate import kernel
from pcaps.wire import LLC, NO_IP, SHORT, WLAN, WLAN_PADDED, Bytes, u8, u16, u16_le, u32_le

# --- radiotap, https://www.radiotap.org/ ------------------------------------------------------------------
RADIOTAP_HEADER = 8
RADIOTAP_LENGTH = 2
RADIOTAP_PRESENT = 4
PRESENT_TSFT, PRESENT_FLAGS, PRESENT_MORE = 1 << 0, 1 << 1, 1 << 31
TSFT_FIELD = 8  # its size and its alignment
FLAG_PADDED = 0x20  # bytes follow the 802.11 header, up to a multiple of four

# --- IEEE 802.11, clause 9.2.3 and 9.3.2 ------------------------------------------------------------------
WLAN_HEADER = 24
SEQUENCE_CONTROL = 22
WLAN_VERSION_TYPE = 0x000F
DATA_FRAME = 0x0008
NO_DATA = 0x0040  # of the subtype
QOS = 0x0080
BOTH_SYSTEMS = 0x0300  # to and from the distribution system: four addresses
PROTECTED = 0x4000
HT_CONTROL = 0x8000  # of a QoS frame
FRAGMENT_NUMBER = 0x000F
AGGREGATE = 0x80  # of QoS control
SUBFRAME_HEADER = 14
SUBFRAME_LENGTH = 12


@kernel
def radiotap_flags(data: Bytes, at: int, end: int) -> int:
    """The flags field of the radiotap header data[at:end], 0 where it has none."""
    present = u32_le(data, at + RADIOTAP_PRESENT)
    field = at + RADIOTAP_PRESENT + 4
    more = present
    while more & PRESENT_MORE and field + 4 <= end:
        more = u32_le(data, field)
        field += 4
    if present & PRESENT_FLAGS == 0:
        return 0
    if present & PRESENT_TSFT:
        field += -(field - at) % TSFT_FIELD + TSFT_FIELD
    return u8(data, field) if field < end else 0


@kernel
def read_radiotap(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """A radiotap header."""
    if at + RADIOTAP_HEADER > end:
        return SHORT, at, end
    behind = at + u16_le(data, at + RADIOTAP_LENGTH)
    if behind < at + RADIOTAP_HEADER:
        return NO_IP, at, end
    if behind > end:
        return SHORT, at, end
    padded = radiotap_flags(data, at, behind) & FLAG_PADDED
    return WLAN_PADDED if padded else WLAN, behind, end


@kernel
def header_length(control: int) -> int:
    """Bytes of the header of a data frame with this frame control."""
    length = WLAN_HEADER
    if control & BOTH_SYSTEMS == BOTH_SYSTEMS:
        length += 6
    if control & QOS:
        length += 6 if control & HT_CONTROL else 2
    return length


@kernel
def read_wlan(data: Bytes, at: int, end: int, padded: bool) -> tuple[int, int, int]:
    """The header of an 802.11 frame."""
    if at + 2 > end:
        return SHORT, at, end
    control = u16_le(data, at)
    if control & WLAN_VERSION_TYPE != DATA_FRAME or control & (NO_DATA | PROTECTED):
        return NO_IP, at, end
    length = header_length(control)
    behind = at + (length + 3 & ~3 if padded else length)
    if behind > end:
        return SHORT, at, end
    if u16_le(data, at + SEQUENCE_CONTROL) & FRAGMENT_NUMBER:
        return NO_IP, at, end
    qos_at = at + (30 if control & BOTH_SYSTEMS == BOTH_SYSTEMS else WLAN_HEADER)
    if control & QOS and u8(data, qos_at) & AGGREGATE:
        return read_subframe(data, behind, end)
    return LLC, behind, end


@kernel
def read_subframe(data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """The header of an aggregate's first packet."""
    if at + SUBFRAME_HEADER > end:
        return SHORT, at, end
    behind = at + SUBFRAME_HEADER
    return LLC, behind, min(end, behind + u16(data, at + SUBFRAME_LENGTH))
