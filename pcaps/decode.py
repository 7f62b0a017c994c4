"""From bytes to columns: link layer, IPv4 or IPv6, and the transport header behind it.

One row out for every packet in. What cannot be decoded keeps its row and says so in `status`; bytes
never raise. `end` is where the captured bytes stop, `stop` where the datagram does by its own
length: padding lies behind `stop`, what the snap length cut lies behind `end`.
"""

import numpy as np
from numpy.typing import NDArray

from pcaps.accelerate import entry_kernel, i64, kernel
from pcaps.batch import MALFORMED, NOT_A_FRAGMENT, NOT_IP, OK, TRUNCATED, UNSTATED, UNSUPPORTED_LINK, Packet
from pcaps.checksum import checksum_holds
from pcaps.ipv4 import GO_ON, cut_header, read_ipv4
from pcaps.ipv6 import read_ipv6
from pcaps.link import ETHERNET, network_layer
from pcaps.link_cooked import stated_way
from pcaps.transport import read_transport
from pcaps.wire import ENDLESS, ETHERTYPE_IPV4, ETHERTYPE_IPV6, SHORT, UNKNOWN_LINK, Bytes


@kernel
def finish(data: Bytes, at: int, end: int, stop: int, p: Packet, verify: bool) -> int:
    """The transport header of a whole datagram; of a fragment what its first piece shows.

    That a first fragment's transport header goes on in the next is no fault.
    """
    if i64(p["fragment_offset"]) != 0:
        return OK
    carried = i64(p["payload"])
    status = read_transport(data, at, end, stop, i64(p["family"]), p)
    if i64(p["fragment_id"]) != NOT_A_FRAGMENT:
        p["payload"] = carried
        return TRUNCATED if status == TRUNCATED else OK
    if verify and status == OK and stop <= end:
        p["bad_checksum"] = 0 if checksum_holds(data, at, stop, p) else 1
    return status


@kernel
def decode_row(data: Bytes, start: int, link: int, p: Packet, verify: bool) -> int:
    """The status of one frame, its columns filled as far as they can be read."""
    end = start + i64(p["caplen"])
    whole = start + max(i64(p["wirelen"]), i64(p["caplen"]))
    if link != ETHERNET and i64(p["way"]) == UNSTATED:
        p["way"] = stated_way(data, start, end, link)
    ethertype, first, until = network_layer(data, start, end, link)
    if until < end:  # a length in the link layer: what lies behind is padding, or other packets
        end = until
        whole = until
    if ethertype == ETHERTYPE_IPV4:
        status, at, stop = read_ipv4(data, first, end, whole, p)
    elif ethertype == ETHERTYPE_IPV6:
        status, at, stop = read_ipv6(data, first, end, whole, p)
    elif ethertype == UNKNOWN_LINK:
        return UNSUPPORTED_LINK
    elif ethertype == SHORT:
        return cut_header(end, whole)
    else:
        return MALFORMED if ethertype == ENDLESS else NOT_IP
    if status == GO_ON:
        status = finish(data, at, end, stop, p, verify)
    if i64(p["fragment_id"]) != NOT_A_FRAGMENT:
        p["payload_at"] = i64(p["payload_at"]) + first - start
    return status


@entry_kernel
def decode(
    data: Bytes, offsets: NDArray[np.int64], links: NDArray[np.int32], out: NDArray[np.void], verify: bool
) -> int:
    """Fill the records of `out` from the frames at data[offsets[k]:], k = 0 .. len(out) - 1.

    Returns how many of them are fragments.

    The fields capture, frame, time, interface, way, caplen and wirelen are there already, all others are 0;
    caplen lies within `data`. offsets and links have as many values as `out`, or more. `verify`: sum over transport
    checksums too.
    """
    fragments = 0
    for k in range(len(out)):
        p = out[k]
        p["fragment_id"] = NOT_A_FRAGMENT
        p["status"] = decode_row(data, i64(offsets[k]), i64(links[k]), p, verify)
        if i64(p["fragment_id"]) != NOT_A_FRAGMENT:
            fragments += 1
    return fragments
