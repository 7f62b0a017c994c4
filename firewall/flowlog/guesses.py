"""Why AWS's flow log and the simulation may differ: a table, asked from the top; the first that fits is told.

A guess, not a finding: a flow log says neither which layer rejected a packet nor why.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

from collections.abc import Callable
from typing import NamedTuple

from firewall.flowlog.logged import ACK, FIN, RST, SYN
from firewall.flowlog.pairs import Pair, Window
from pcaps.wire import TCP

INTERNET_MTU = 1500  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html
EARLY = 60  # seconds from the capture's start in which a connection is likely to be older than it
NO_RULE = {"no-ingress-rule", "no-egress-rule"}
TRACKING = {"mid-stream", "bad-flags", "bad-header", "invalid-state", "out-of-window", "expired", "icmp-unrelated"}
MIDWAY = {"mid-stream", "invalid-state", "expired"}

Asked = Callable[[Pair, Pair | None, Window], bool]


class Guess(NamedTuple):
    """One row: its name, when it fits (the pair, the opposite direction's, the capture), and what it says."""

    name: str
    when: str
    fits: Asked
    says: str


# --- what is asked ----------------------------------------------------------------------------------------
def _only_aws(pair: Pair) -> bool:
    return not pair.ours


def _unlogged(*words: str) -> Asked:
    """AWS logs what the simulation leaves out for one of these reasons; no words: for any."""
    return lambda pair, _, __: bool(_only_aws(pair) and pair.unlogged and (not words or pair.reasons & set(words)))


def _absent(pair: Pair) -> bool:
    return _only_aws(pair) and not pair.unlogged


def _rejected_before(pair: Pair, _: Pair | None, __: Window) -> bool:
    return _absent(pair) and "REJECT" in pair.aws


def _not_captured(pair: Pair, _: Pair | None, __: Window) -> bool:
    return _absent(pair)


def _skipped(pair: Pair, _: Pair | None, window: Window) -> bool:
    return not pair.aws and pair.interface in window.skipped


def _one_action(pair: Pair, _: Pair | None, window: Window) -> bool:
    return not pair.aws and len(window.actions) == 1 and not window.actions & set(pair.ours)


def _not_in_log(pair: Pair, _: Pair | None, __: Window) -> bool:
    return not pair.aws


def _same_actions(pair: Pair) -> bool:
    return set(pair.aws) == set(pair.ours)


def _edge(pair: Pair, _: Pair | None, window: Window) -> bool:
    return _same_actions(pair) and window.reaches_out(pair)


def _offload(pair: Pair, _: Pair | None, __: Window) -> bool:
    """Fewer packets in the capture, on average longer than the 1500 bytes that the internet carries."""
    more, fewer = (sum(seen.packets for seen in side.values()) for side in (pair.aws, pair.ours))
    longest = max((seen.bytes / seen.packets for seen in pair.ours.values() if seen.packets), default=0)
    return _same_actions(pair) and pair.protocol == TCP and fewer < more and longest > INTERNET_MTU


def _counts(pair: Pair, _: Pair | None, __: Window) -> bool:
    return _same_actions(pair)


def _closed(pair: Pair, back: Pair | None, _: Window) -> bool:
    flags = pair.flags | (back.flags if back else 0)
    return pair.protocol == TCP and pair.only("aws", "REJECT") and bool(flags & (FIN | RST)) and "ACCEPT" in pair.aws


def _acl_unknown(pair: Pair, back: Pair | None, window: Window) -> bool:
    """AWS rejects one direction of a conversation and accepts the other: what is stateless does so."""
    if not pair.only("aws", "REJECT") or pair.interface in window.with_acl:
        return False
    return back is not None and "ACCEPT" in back.aws


def _untracked(pair: Pair, _: Pair | None, __: Window) -> bool:
    return pair.only("aws", "REJECT") and "untracked" in pair.reasons


def _acl_differs(pair: Pair, _: Pair | None, __: Window) -> bool:
    return pair.only("ours", "REJECT") and bool(pair.reasons & {"nacl-ingress", "nacl-egress"})


def _check(pair: Pair, _: Pair | None, __: Window) -> bool:
    return pair.only("ours", "REJECT") and "source-dest-check" in pair.reasons


def _opener(pair: Pair, back: Pair | None) -> Pair | None:
    """The direction that opened the conversation, as far as the capture shows it: by its SYN, else the earlier one."""
    if pair.protocol == TCP:
        return next((each for each in (pair, back) if each and each.flags & (SYN | ACK) == SYN), None)
    if pair.first is None or back is None or back.first is None:
        return None
    return pair if pair.first <= back.first else back


def _no_rule(pair: Pair, back: Pair | None, _: Window) -> bool:
    opener = _opener(pair, back)
    return pair.only("ours", "REJECT") and opener is not None and bool(opener.reasons & NO_RULE)


def _before(pair: Pair, back: Pair | None, window: Window) -> bool:
    early = pair.first is not None and pair.first <= window.first + EARLY
    known = bool(pair.reasons & MIDWAY) or (back is not None and "ACCEPT" in back.aws)
    return pair.only("ours", "REJECT") and early and known and _opener(pair, back) is None


def _tracking(pair: Pair, _: Pair | None, __: Window) -> bool:
    return pair.only("ours", "REJECT") and bool(pair.reasons & TRACKING)


def _always(_: Pair, __: Pair | None, ___: Window) -> bool:
    return True


# --- the table --------------------------------------------------------------------------------------------
GUESSES = (
    Guess(
        "undecidable",
        "only in AWS's log; the capture's packets have no verdict",
        _unlogged("undecidable"),
        "a rule names a group or list whose members no file says, so these packets have no verdict here",
    ),
    Guess(
        "dropped-at-sender",
        "only in AWS's log; here the sender's interface denied them",
        _unlogged("dropped-at-sender"),
        "here the sending interface denied these packets, so that they never arrived; see the sender's own difference",
    ),
    Guess(
        "not-logged",
        "only in AWS's log; here they are left out of flow logs",
        _unlogged(),
        "left out here as traffic that flow logs do not record, or that a VPC does not deliver",
    ),
    Guess(
        "dropped-before-capture",
        "AWS rejects; the capture has no such packet",
        _rejected_before,
        "rejected before it could be captured: what a security group or network ACL drops on the way in is not in a"
        " capture taken behind it",
    ),
    Guess(
        "not-captured",
        "AWS accepts; the capture has no such packet",
        _not_captured,
        "the capture does not hold these packets: a filter, packets lost while capturing, or taken elsewhere",
    ),
    Guess(
        "skipped",
        "only in the simulation; AWS has SKIPDATA for the interface",
        _skipped,
        "AWS skipped records of this interface (SKIPDATA)",
    ),
    Guess(
        "one-action",
        "only in the simulation; all of AWS's records have the other action",
        _one_action,
        "the flow log seems to record one kind of traffic alone (ACCEPT or REJECT)",
    ),
    Guess(
        "not-in-log",
        "only in the simulation",
        _not_in_log,
        "AWS's files do not have it: a file is missing (records come minutes late), or the packets were not seen at"
        " this interface",
    ),
    Guess(
        "edge",
        "the same actions; AWS's records begin before the capture or end after it",
        _edge,
        "AWS's records also count packets from before or after the capture",
    ),
    Guess(
        "offload",
        "the same actions; the capture has fewer, longer TCP packets",
        _offload,
        "segmentation offload: a capture taken in a host has several segments as one packet",
    ),
    Guess(
        "counts",
        "the same actions, other counts",
        _counts,
        "packets lost while capturing, or at the edge of an interval",
    ),
    Guess(
        "closed-connection",
        "AWS rejects some packets of a TCP connection with FIN or RST",
        _closed,
        "AWS rejects packets that arrive after the connection was closed, and says not how long it waits",
    ),
    Guess(
        "untracked",
        "AWS rejects; here the connection is untracked",
        _untracked,
        "an untracked connection meets the rules with every packet: a rule that was removed meanwhile stops it at once",
    ),
    Guess(
        "network-acl",
        "AWS rejects one direction only; the rules state no network ACL",
        _acl_unknown,
        "a network ACL keeps no state, and the rules do not state the one of this subnet",
    ),
    Guess(
        "network-acl-differs",
        "AWS accepts what a network ACL denies here",
        _acl_differs,
        "the network ACL of the rules is not the one that was in force",
    ),
    Guess(
        "source-dest-check",
        "AWS accepts what the source/destination check stops here",
        _check,
        "the check is off in AWS, or the interface has an address that the rules do not state",
    ),
    Guess(
        "no-rule",
        "AWS accepts; here no rule allows the packet that opened the conversation",
        _no_rule,
        "a rule allowed it in AWS: the security groups of the rules are not those that were in force",
    ),
    Guess(
        "before-capture",
        "AWS accepts; here no connection, its opening not captured, in the capture's first minute",
        _before,
        "the connection began before the capture, so that the table does not hold it",
    ),
    Guess(
        "tracking",
        "AWS accepts what connection tracking denies here",
        _tracking,
        "AWS does not document how strictly it tracks; here it is done as Linux does (--set tcp_loose,"
        " tcp_be_liberal, tcp_state)",
    ),
    Guess(
        "rules-differ",
        "all else",
        _always,
        "the security groups of the rules are not those that were in force: changed since, or other groups on the"
        " interface",
    ),
)
SAYS = {row.name: row.says for row in GUESSES}


def guess(pair: Pair, back: Pair | None, window: Window) -> str:
    """The name of the first row that fits; `back` is the opposite direction at the same interface, if there is one."""
    return next(row.name for row in GUESSES if row.fits(pair, back, window))
