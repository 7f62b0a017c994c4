"""A connection's history in Zeek's letters, beside Zeek's own logs and case by case."""

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firewall.audit import Audit
from firewall.engine import Firewall
from firewall.history import LETTERS, LONGEST
from firewall.labels import Labels
from firewall.reports.result import finished
from firewall.summary import Summary
from pcaps.capture import open_capture
from pcaps.wire import ACK, FIN, RST, SYN
from tests.firewall.batches import CLIENT, LABELS, SERVER, answer, batch, packet
from tests.support import rule, rule_set
from tests.zeek import EXCEPTIONS, IGNORES_CHECKSUMS, LOG, NO_TUNNEL

#: Connections that Zeek and Linux cut or begin at other packets
DIFFERENT = {(one.capture, one.ends) for one in EXCEPTIONS}


Segment = tuple[str, int, dict[str, Any]]


def told(*segments: Segment, batches: int = 1) -> str:
    """The history of one connection: (`>` from its originator or `<`, flags, other fields)."""
    pairs = []
    for way, flags, more in segments:
        ends = (packet(tcp_flags=flags, **more), "ingress")
        if way == "<":
            ends = (packet(SERVER, CLIENT, (80, 40000), tcp_flags=flags, **more), "egress")
        pairs.append((ends[0], answer("established", ends[1], flow=1, ct_state=2)))
    summary = Summary(1, len(LABELS.rules), 1)
    audit = Audit(summary, len(LABELS.rules))
    size = -(-len(pairs) // batches)
    for start in range(0, len(pairs), size):
        judged = batch(*pairs[start : start + size], first=start + 1)
        summary.add(judged)
        audit.add(judged)
    return audit.histories[0].text(1)


SYN_: Segment = (">", SYN, {"tcp_seq": 1})
SYNACK: Segment = ("<", SYN | ACK, {"tcp_seq": 9})
ACK_: Segment = (">", ACK, {})
DATA: Segment = (">", ACK, {"payload": 5})
FIN_: Segment = (">", FIN | ACK, {"tcp_seq": 7})


@pytest.mark.parametrize("batches", [1, 2, 7], ids=lambda count: f"{count} batches")
def test_a_whole_connection(batches: int) -> None:
    answers = [
        ("<", ACK, {}),
        ("<", ACK, {"payload": 5}),
        ("<", ACK, {"payload": 5}),
        ("<", FIN | ACK, {"tcp_seq": 70}),
    ]
    assert told(SYN_, SYNACK, ACK_, DATA, *answers, DATA, FIN_, ACK_, batches=batches) == "ShADadfF"


def test_a_syn_again_is_written_again_only_where_its_number_differs() -> None:
    other: Segment = (">", SYN, {"tcp_seq": 2})
    assert told(SYN_, SYN_, SYN_) == "S"
    assert told(SYN_, other, other, SYN_) == "SSS"
    assert told(SYN_, other, other, SYN_, batches=4) == "SSS"


def test_flags_that_contradict_each_other() -> None:
    assert told((">", SYN | FIN, {}), (">", SYN | RST, {}), ("<", FIN | RST, {}), (">", RST, {})) == "QiR"


def test_a_reset_with_bytes_is_no_data_and_a_fin_with_bytes_is_both() -> None:
    assert told((">", RST, {"payload": 3}), ("<", FIN | ACK, {"payload": 3})) == "Rfd"


def test_udp_has_data_alone_and_icmp_nothing() -> None:
    assert told((">", 0, {"protocol": 17}), ("<", 0, {"protocol": 17}), (">", 0, {"protocol": 17})) == "Dd"
    assert told((">", 0, {"protocol": 1}), ("<", 0, {"protocol": 1})) == ""


def test_a_long_history_is_cut_and_says_so() -> None:
    many: list[Segment] = [(">", SYN, {"tcp_seq": number}) for number in range(LONGEST + 5)]
    assert told(*many) == told(*many, batches=9) == "S" * LONGEST + "+"
    assert told(*many[:LONGEST]) == "S" * LONGEST


def test_the_letters_are_zeeks() -> None:
    assert "".join(row.letter for row in LETTERS) == "SHFRADIQ"
    assert [row.letter for row in LETTERS if row.again] == ["S", "H", "F", "R"]


# --- beside Zeek's logs --------------------------------------------------------------------------------------
Ends = tuple[str, int, str, int]


@cache
def histories(path: Path, address: str, checksums: bool) -> dict[Ends, list[str]]:
    """Every connection's history at one interface where all is allowed, by its ends."""
    everything = rule_set(
        [rule(way, -1, net) for way in ("ingress", "egress") for net in ("0.0.0.0/0", "::/0")], [address]
    )
    firewall = Firewall(everything, profile="linux", settings={"ip_checksum": str(int(checksums))})
    with open_capture(str(path)) as capture:
        labels = Labels.of(firewall, capture.names)
        summary = Summary(1, len(labels.rules), len(labels.exempt))
        audit = Audit(summary, len(labels.rules))
        for judged in firewall.replay(capture):
            summary.add(judged)
            audit.add(judged)
    found: dict[Ends, list[str]] = {}
    for each in finished(firewall, capture, summary, labels, "").connections():
        ends = (each.src, each.src_port, each.dst, each.dst_port)
        found.setdefault(ends, []).append(audit.histories[0].text(each.flow))
    return found


def test_histories_are_zeeks(captures: Path) -> None:
    same, deleted, differing = 0, [], []
    with (captures / LOG).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            if line["proto"] not in ("tcp", "udp") or line["tunnel_parents"] != NO_TUNNEL:
                continue
            ends = (line["orig_h"], int(line["orig_p"]), line["resp_h"], int(line["resp_p"]))
            if (line["pcap"], f"{ends[0]}:{ends[1]} > {ends[2]}:{ends[3]}") in DIFFERENT:
                continue
            checksums = IGNORES_CHECKSUMS not in line["zeek_command"].split()
            found = histories(captures / line["pcap"], ends[0], checksums).get(ends, [])
            if line["history"] in found:
                same += 1
            elif line["history"][:-1] in found and line["history"][-1] in "rR":
                deleted.append(line["history"])  # a reset that deletes its entry has no flow any more
            else:
                differing.append((line["pcap"], ends, line["history"], found))
    assert differing == []
    assert deleted == ["Dr"]
    assert same == 35


def test_letters_of_a_long_capture_do_not_depend_on_batches() -> None:
    rng = np.random.default_rng(7)
    flags = rng.choice([SYN, SYN | ACK, ACK, FIN | ACK, RST], 200)
    ways = rng.choice([">", "<"], 200)
    numbers = rng.integers(0, 3, 200)
    segments: list[Segment] = [
        (way, int(bits), {"tcp_seq": int(seq)}) for way, bits, seq in zip(ways, flags, numbers, strict=True)
    ]
    whole = told(*segments)
    assert len(whole) > 8
    assert all(told(*segments, batches=count) == whole for count in (2, 3, 50, 200))
