"""What the engine says of a packet: a closed vocabulary, one table, every word with its meaning.

Kernels write the codes, everything else reads the words. A new reason is one new row in REASONS.
"""

from typing import NamedTuple

# --- verdicts --------------------------------------------------------------------------------------
ALLOW, DENY, EXEMPT, NOT_EVALUATED = 0, 1, 2, 3
VERDICTS = ("ALLOW", "DENY", "EXEMPT", "NOT_EVALUATED")

# --- directions, seen from the interface -------------------------------------------------------------
NO_DIRECTION, INGRESS, EGRESS = 0, 1, 2
DIRECTIONS = ("", "ingress", "egress")


class Reason(NamedTuple):
    """One row of the vocabulary."""

    word: str
    verdict: int
    meaning: str


REASONS = (
    # ALLOW
    Reason("rule", ALLOW, "a rule of the interface's security groups allows this new flow"),
    Reason("established", ALLOW, "belongs to a connection that the table already holds"),
    Reason("related", ALLOW, "an ICMP error about a connection that the table holds"),
    Reason("untracked", ALLOW, "a rule allows it; its flow is not tracked, so every packet meets the rules"),
    # EXEMPT
    Reason("exempt", EXEMPT, "security groups do not filter it: DHCP, AWS's link-local services, neighbour discovery"),
    # DENY
    Reason("no-ingress-rule", DENY, "not part of a connection that the table holds, and no ingress rule allows it"),
    Reason("no-egress-rule", DENY, "not part of a connection that the table holds, and no egress rule allows it"),
    Reason("mid-stream", DENY, "TCP that belongs to no entry and cannot open one"),
    Reason("bad-flags", DENY, "a set of TCP flags that cannot be"),
    Reason("bad-header", DENY, "the transport header cannot be read, or its checksum is wrong (checksum=1)"),
    Reason(
        "invalid-state", DENY, "does not fit the state of its connection, or answers one that the table does not hold"
    ),
    Reason("out-of-window", DENY, "outside the sequence window of its connection"),
    Reason("expired", DENY, "its connection was tracked, but idled past its timeout"),
    Reason("icmp-unrelated", DENY, "an ICMP error about no connection that the table holds"),
    Reason("fragment-incomplete", DENY, "a fragment of a datagram that never became whole"),
    Reason("table-full", DENY, "the connection table has no room for a new flow"),
    Reason("nacl-ingress", DENY, "the subnet's network ACL denies it on the way in"),
    Reason("nacl-egress", DENY, "the subnet's network ACL denies it on the way out"),
    Reason("source-dest-check", DENY, "neither from nor to an address of the interface"),
    Reason("untracked-dropped", DENY, "Linux does not track it, and the policy drops what is not tracked"),
    # NOT_EVALUATED
    Reason("undecidable", NOT_EVALUATED, "a rule names a group or list whose members are unknown"),
    Reason(
        "not-ip",
        NOT_EVALUATED,
        "no IP packet (ARP, LLDP, ...), or one that the link layer encrypts or compresses",
    ),
    Reason("truncated", NOT_EVALUATED, "the capture's snap length cut a header that is needed"),
    Reason("malformed", NOT_EVALUATED, "the IP header itself cannot be read"),
    Reason("unsupported-link", NOT_EVALUATED, "the link layer has no decoder"),
    Reason("other-interface", NOT_EVALUATED, "neither end is a simulated interface"),
    Reason("local", NOT_EVALUATED, "both addresses belong to one interface"),
    Reason("not-delivered", NOT_EVALUATED, "broadcast or multicast, which a VPC does not deliver"),
    Reason("dropped-at-sender", NOT_EVALUATED, "the sending interface denied it, so it never arrived"),
)
REASON_WORDS = tuple(reason.word for reason in REASONS)
REASON_VERDICTS = tuple(reason.verdict for reason in REASONS)

(
    RULE,
    ESTABLISHED,
    RELATED,
    UNTRACKED,
    EXEMPTED,
    NO_INGRESS_RULE,
    NO_EGRESS_RULE,
    MID_STREAM,
    BAD_FLAGS,
    BAD_HEADER,
    INVALID_STATE,
    OUT_OF_WINDOW,
    EXPIRED,
    ICMP_UNRELATED,
    FRAGMENT_INCOMPLETE,
    TABLE_FULL,
    NACL_INGRESS,
    NACL_EGRESS,
    SOURCE_DEST_CHECK,
    UNTRACKED_DROPPED,
    UNDECIDABLE,
    NOT_IP,
    TRUNCATED,
    MALFORMED,
    UNSUPPORTED_LINK,
    OTHER_INTERFACE,
    LOCAL,
    NOT_DELIVERED,
    DROPPED_AT_SENDER,
) = range(len(REASONS))
