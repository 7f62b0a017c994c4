"""The scapy layers that crafted packets use, by name, and the link types they start frames with."""

from typing import NamedTuple

# The layers that an expression may name. All fields of all of them are known to build without a
# look-up; DHCP's options and NTP are left out, which ask the resolver and the clock.
LAYERS = {
    "scapy.packet": "Raw Padding",
    "scapy.layers.l2": (
        "Ether Dot3 LLC SNAP Dot1Q Dot1AD STP ARP GRE CookedLinux CookedLinuxV2 Loopback LoopbackOpenBSD"
    ),
    "scapy.layers.ppp": "PPPoE PPP",
    "scapy.contrib.mpls": "MPLS",
    "scapy.layers.inet": (
        "IP TCP UDP ICMP IPOption IPOption_EOL IPOption_NOP IPOption_RR IPOption_LSRR IPOption_SSRR "
        "IPOption_Stream_Id IPOption_Traceroute IPOption_Timestamp IPOption_Router_Alert"
    ),
    "scapy.layers.inet6": (
        "IPv6 IPv6ExtHdrHopByHop IPv6ExtHdrDestOpt IPv6ExtHdrRouting IPv6ExtHdrSegmentRouting IPv6ExtHdrFragment "
        "Pad1 PadN RouterAlert Jumbo HAO HBHOptUnknown ICMPv6Unknown ICMPv6EchoRequest ICMPv6EchoReply "
        "ICMPv6DestUnreach ICMPv6PacketTooBig ICMPv6TimeExceeded ICMPv6ParamProblem ICMPv6MLQuery ICMPv6MLReport "
        "ICMPv6MLDone ICMPv6MLQuery2 ICMPv6MLReport2 ICMPv6MLDMultAddrRec ICMPv6ND_RS ICMPv6ND_RA ICMPv6ND_NS "
        "ICMPv6ND_NA ICMPv6ND_Redirect ICMPv6NDOptUnknown ICMPv6NDOptSrcLLAddr ICMPv6NDOptDstLLAddr "
        "ICMPv6NDOptPrefixInfo ICMPv6NDOptRedirectedHdr ICMPv6NDOptMTU ICMPv6NDOptRDNSS"
    ),
    "scapy.layers.ipsec": "AH ESP",
    "scapy.layers.sctp": (
        "SCTP SCTPChunkData SCTPChunkInit SCTPChunkInitAck SCTPChunkSACK SCTPChunkHeartbeatReq "
        "SCTPChunkHeartbeatAck SCTPChunkAbort SCTPChunkShutdown SCTPChunkShutdownAck SCTPChunkError "
        "SCTPChunkCookieEcho SCTPChunkCookieAck SCTPChunkShutdownComplete SCTPChunkParamHeartbeatInfo "
        "SCTPChunkParamIPv4Addr SCTPChunkParamIPv6Addr SCTPChunkParamStateCookie SCTPChunkParamSupportedAddrTypes"
    ),
    "scapy.layers.dns": "DNS DNSQR DNSRR DNSRROPT",
    "scapy.layers.tftp": "TFTP TFTP_RRQ TFTP_WRQ TFTP_DATA TFTP_ACK TFTP_ERROR",
    "scapy.layers.vxlan": "VXLAN",
    "scapy.contrib.geneve": "GENEVE GeneveOptions",
}
MODULES = {name: module for module, names in LAYERS.items() for name in names.split()}


class Link(NamedTuple):
    """A layer that a frame may start with, and its LINKTYPE number."""

    layer: str
    number: int


# Subclasses stand before the class they derive from. Bytes alone are read as raw IP.
LINKS = (
    Link("Ether", 1),
    Link("Dot3", 1),
    Link("CookedLinuxV2", 276),
    Link("CookedLinux", 113),
    Link("LoopbackOpenBSD", 108),
    Link("Loopback", 0),
    Link("IP", 101),
    Link("IPv6", 101),
    Link("Raw", 101),
)
