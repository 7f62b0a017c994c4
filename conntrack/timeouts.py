"""Every timeout and every switch by name, in two sets: what Linux does, and what AWS documents.

Names are the Linux sysctls without `net.netfilter.nf_conntrack_`
(https://docs.kernel.org/networking/nf_conntrack-sysctl.html); what has no sysctl has a name of ours.
Where AWS is silent its set follows Linux.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from conntrack.icmp import query_array
from conntrack.sctp import SCTP_STATES, SCTP_TRANSITIONS
from conntrack.tcp import FLAG_CLASSES, STATES, TRANSITIONS

NS = 1_000_000_000
TRACKING_PAGE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html"
OTHERS = f"{TRACKING_PAGE}: a protocol other than TCP, UDP and ICMP"
SILENT = "AWS does not say; Linux's value"
PROFILES = ("aws", "linux")


class SettingError(ValueError):
    """A setting that is not known, or a value that it cannot take; the message says which it can."""


class Timeout(NamedTuple):
    """Seconds without a packet until the entry is gone."""

    name: str
    linux: int
    aws: int
    aws_source: str


class Switch(NamedTuple):
    """A choice; `words` are its values, a number's position is its code."""

    name: str
    linux: str
    aws: str
    words: tuple[str, ...]
    meaning: str


TIMEOUTS = (
    Timeout("tcp_timeout_syn_sent", 120, 120, SILENT),
    Timeout("tcp_timeout_syn_recv", 60, 60, SILENT),
    Timeout("tcp_timeout_established", 432000, 432000, f"{TRACKING_PAGE}; 350 on Nitro v6 instance types"),
    Timeout("tcp_timeout_fin_wait", 120, 120, SILENT),
    Timeout("tcp_timeout_close_wait", 60, 60, SILENT),
    Timeout("tcp_timeout_last_ack", 30, 30, SILENT),
    Timeout("tcp_timeout_time_wait", 120, 120, SILENT),
    Timeout("tcp_timeout_close", 10, 10, SILENT),
    Timeout("tcp_timeout_syn_sent2", 120, 120, SILENT),
    Timeout("tcp_timeout_max_retrans", 300, 300, SILENT),
    Timeout("tcp_timeout_unacknowledged", 300, 300, SILENT),
    Timeout("udp_timeout", 30, 30, TRACKING_PAGE),
    Timeout("udp_timeout_stream", 120, 180, TRACKING_PAGE),
    Timeout("icmp_timeout", 30, 30, SILENT),
    Timeout("icmpv6_timeout", 30, 30, SILENT),
    Timeout("gre_timeout", 30, 600, OTHERS),
    Timeout("gre_timeout_stream", 180, 600, OTHERS),
    Timeout("generic_timeout", 600, 600, TRACKING_PAGE),
    Timeout("sctp_timeout_closed", 10, 600, OTHERS),
    Timeout("sctp_timeout_cookie_wait", 3, 600, OTHERS),
    Timeout("sctp_timeout_cookie_echoed", 3, 600, OTHERS),
    Timeout("sctp_timeout_established", 210, 600, OTHERS),
    Timeout("sctp_timeout_shutdown_sent", 3, 600, OTHERS),
    Timeout("sctp_timeout_shutdown_recd", 3, 600, OTHERS),
    Timeout("sctp_timeout_shutdown_ack_sent", 3, 600, OTHERS),
    Timeout("sctp_timeout_heartbeat_sent", 30, 600, OTHERS),
    Timeout("ipfrag_time", 30, 30, SILENT),
    Timeout("frag6_timeout", 60, 60, SILENT),
)
TIMEOUT_NAMES = tuple(row.name for row in TIMEOUTS)
(
    T_SYN_SENT,
    T_SYN_RECV,
    T_ESTABLISHED,
    T_FIN_WAIT,
    T_CLOSE_WAIT,
    T_LAST_ACK,
    T_TIME_WAIT,
    T_CLOSE,
    T_SYN_SENT2,
    T_MAX_RETRANS,
    T_UNACKNOWLEDGED,
    T_UDP,
    T_UDP_STREAM,
    T_ICMP,
    T_ICMPV6,
    T_GRE,
    T_GRE_STREAM,
    T_GENERIC,
    T_SCTP_CLOSED,
    T_SCTP_COOKIE_WAIT,
    T_SCTP_COOKIE_ECHOED,
    T_SCTP_ESTABLISHED,
    T_SCTP_SHUTDOWN_SENT,
    T_SCTP_SHUTDOWN_RECD,
    T_SCTP_SHUTDOWN_ACK_SENT,
    T_SCTP_HEARTBEAT_SENT,
    T_IPFRAG,
    T_FRAG6,
) = range(len(TIMEOUTS))
MAX_TIMEOUT = (1 << 31) - 1  # seconds, what the kernel's sysctl takes

OFF_ON = ("0", "1")
SWITCHES = (
    Switch("tcp_loose", "1", "1", OFF_ON, "an ACK without an entry opens one, in state ESTABLISHED"),
    Switch("tcp_be_liberal", "0", "0", OFF_ON, "segments outside the sequence window pass"),
    Switch("tcp_ignore_invalid_rst", "0", "0", OFF_ON, "a reset below the acknowledged sequence is not invalid"),
    Switch("tcp_state", "linux", "linux", ("linux", "liberal"), "liberal: the same 5-tuple is enough to pass"),
    Switch("udp_stream", "linux", "aws", ("linux", "aws"), "when UDP counts as a stream: age, or transactions"),
    Switch("icmp_errors", "related", "aws", ("related", "aws"), "related: pass with the flow they quote; aws: a rule"),
    Switch(
        "port_protocols", "linux", "aws", ("linux", "aws"), "which protocols are tracked by port besides TCP and UDP"
    ),
    Switch("untracked", "off", "aws", ("off", "aws"), "aws: what rules leave open both ways is not tracked"),
    Switch("early_drop", "1", "0", OFF_ON, "a full table drops a connection that is not assured for a new one"),
    Switch(
        "checksum",
        "0",
        "0",
        OFF_ON,
        "wrong transport checksums of whole packets are invalid; offload leaves them unset",
    ),
    Switch("ip_checksum", "1", "0", OFF_ON, "a wrong IPv4 header checksum is dropped"),
    Switch(
        "on_widen",
        "keep",
        "keep",
        ("keep", "convert"),
        "tracked connections that changed rules would leave untracked: keep them, or convert them",
    ),
)
SWITCH_NAMES = tuple(row.name for row in SWITCHES)
(
    S_TCP_LOOSE,
    S_TCP_BE_LIBERAL,
    S_IGNORE_INVALID_RST,
    S_TCP_STATE,
    S_UDP_STREAM,
    S_ICMP_ERRORS,
    S_PORT_PROTOCOLS,
    S_UNTRACKED,
    S_EARLY_DROP,
    S_CHECKSUM,
    S_IP_CHECKSUM,
    S_ON_WIDEN,
) = range(len(SWITCHES))
LIBERAL = 1  # of tcp_state
AWS_STREAM = 1  # of udp_stream
AWS_ERRORS = 1  # of icmp_errors
AWS_PORTS = 1  # of port_protocols
AWS_UNTRACKED = 1  # of untracked


class Number(NamedTuple):
    """A setting that is neither a timeout nor a switch, with its lowest and highest value."""

    name: str
    default: int
    low: int
    high: int
    meaning: str


NUMBERS = (
    Number("tcp_max_retrans", 3, 0, 255, "equal segments in a row until the entry's life is shortened"),
    Number("max", 0, 0, (1 << 31) - 1, "connections that one host (an instance) tracks at most; 0: no limit"),
    Number("ipfrag_max_dist", 64, 0, (1 << 31) - 1, "IPv4 fragments of a source between two of one datagram; 0: any"),
)
NUMBER_NAMES = tuple(row.name for row in NUMBERS)
N_MAX_RETRANS, N_MAX, N_IPFRAG_MAX_DIST = range(len(SWITCHES), len(SWITCHES) + len(NUMBERS))


# What tracking needs to know, as one record: kernels take it as one argument, which costs them nothing.
SETTINGS = np.dtype(
    [
        ("timeouts", np.int64, (len(TIMEOUTS),)),  # ns, by the T_ numbers
        ("switches", np.int64, (len(SWITCHES) + len(NUMBERS),)),  # codes by the S_ numbers, then N_
        ("transitions", np.uint8, TRANSITIONS.shape),  # by direction, flag class, state
        ("flag_classes", np.uint8, FLAG_CLASSES.shape),  # by flag byte
        ("state_timeouts", np.int64, (len(STATES),)),  # a T_ number for each TCP state
        ("sctp_transitions", np.uint8, SCTP_TRANSITIONS.shape),  # by direction, chunk code, state
        ("sctp_state_timeouts", np.int64, (len(SCTP_STATES),)),  # a T_ number for each SCTP state
        ("queries", np.int16, (2, 256)),  # the query type of an ICMP, ICMPv6 type; -1 where none
    ],
    align=True,
)
Settings = Any  # one record of dtype SETTINGS


STATE_TIMEOUTS = (
    T_CLOSE,
    T_SYN_SENT,
    T_SYN_RECV,
    T_ESTABLISHED,
    T_FIN_WAIT,
    T_CLOSE_WAIT,
    T_LAST_ACK,
    T_TIME_WAIT,
    T_CLOSE,
    T_SYN_SENT2,
)
SCTP_STATE_TIMEOUTS = (
    T_SCTP_CLOSED,
    T_SCTP_CLOSED,
    T_SCTP_COOKIE_WAIT,
    T_SCTP_COOKIE_ECHOED,
    T_SCTP_ESTABLISHED,
    T_SCTP_SHUTDOWN_SENT,
    T_SCTP_SHUTDOWN_RECD,
    T_SCTP_SHUTDOWN_ACK_SENT,
    T_SCTP_HEARTBEAT_SENT,
)
if len(STATE_TIMEOUTS) != len(STATES) or len(SCTP_STATE_TIMEOUTS) != len(SCTP_STATES):
    raise ValueError("every TCP and SCTP state needs a timeout")


def effective(profile: str, changes: Mapping[str, str]) -> dict[str, int | str]:
    """Every timeout (seconds), number and switch (its word) of a profile, with the changes made.

    Raises SettingError for a profile, name or value that is not known.
    """
    if profile not in PROFILES:
        raise SettingError(f"profile {profile!r}: write one of {', '.join(PROFILES)}")
    linux = profile == "linux"
    values: dict[str, int | str] = {row.name: row.linux if linux else row.aws for row in TIMEOUTS}
    values |= {row.name: row.default for row in NUMBERS}
    values |= {row.name: row.linux if linux else row.aws for row in SWITCHES}
    for name, word in changes.items():
        values[name] = checked(name, word)
    return values


def checked(name: str, word: str) -> int | str:
    """The value that `word` gives the setting `name`, or SettingError."""
    for switch in SWITCHES:
        if name == switch.name:
            if word not in switch.words:
                raise SettingError(f"{name}={word}: write one of {', '.join(switch.words)}")
            return word
    bounds = {row.name: (row.low, row.high) for row in NUMBERS} | dict.fromkeys(TIMEOUT_NAMES, (0, MAX_TIMEOUT))
    if name not in bounds:
        raise SettingError(f"{name}: no such setting; {nearest(name)}")
    low, high = bounds[name]
    if not word.isdecimal() or not low <= int(word) <= high:
        raise SettingError(
            f"{name}={word}: write a number of {'seconds ' * (name in TIMEOUT_NAMES)}from {low} to {high}"
        )
    return int(word)


def nearest(name: str) -> str:
    """A hint at the settings that there are."""
    from difflib import get_close_matches  # only for a message

    names = (*TIMEOUT_NAMES, *SWITCH_NAMES, *NUMBER_NAMES)
    close = get_close_matches(name, names, 1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"


def settings(values: Mapping[str, int | str]) -> Settings:
    """The record of what `effective` gave."""
    switches = [row.words.index(str(values[row.name])) for row in SWITCHES]
    record = np.zeros(1, SETTINGS)[0]
    record["timeouts"] = [int(values[name]) * NS for name in TIMEOUT_NAMES]
    record["switches"] = [*switches, *(int(values[name]) for name in NUMBER_NAMES)]
    record["transitions"] = TRANSITIONS
    record["flag_classes"] = FLAG_CLASSES
    record["state_timeouts"] = STATE_TIMEOUTS
    record["sctp_transitions"] = SCTP_TRANSITIONS
    record["sctp_state_timeouts"] = SCTP_STATE_TIMEOUTS
    record["queries"] = query_array()
    return record
