"""Write a trace as a recorded case, and hold recorded cases against the running kernel.

    python -m tests.netfilter.record FOLDER...           writes FOLDER/verdicts.json
    python -m tests.netfilter.record --check FOLDER...   exit status 1 if the kernel says otherwise

A folder holds `packets.pcap` and `rules.json`; the format is that of `tests.recorded`. Packets are
sent at the times of the capture, so that timeouts are as recorded.
"""

import argparse
import json
import platform
import struct
import sys
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from tests.netfilter.generate import Trace
from tests.netfilter.kernel import Answer, Kernel, Timed
from tests.recorded import LINKTYPE_ETHERNET, LITTLE_ENDIAN_MICROSECONDS, PROTOCOLS, Address, Rule, read_frames, rule_of

CONFIGS = {
    f"loose{loose}_liberal{liberal}": {"tcp_loose": loose, "tcp_be_liberal": liberal}
    for liberal in (0, 1)
    for loose in (1, 0)
}
STEP = 10_000_000  # ns between the packets of a case in which time plays no part
LONGEST = 2 * 10**9  # ns; of a case in which time plays no part: the shortest timeout of an untouched kernel is 3 s
START = 1_700_000_000  # s; when a case begins
CT_WORDS = dict(zip("-NERIU", (None, "new", "established", "related", "invalid", "untracked"), strict=True))
NAMES = {number: name for name, number in PROTOCOLS.items()}
LEGEND = "letters: tests/recorded.py"
MOST_DETAILED = 400  # packets; beyond it a case keeps its strings alone


def write_case(folder: Path, trace: Trace, about: str, notes: Sequence[str] = ()) -> None:
    """Make the folder: the capture, the rules, and what the kernel says in every configuration."""
    folder.mkdir(parents=True)
    gap = 0 if trace.timed else min(STEP, LONGEST // len(trace.packets))
    frames = [(packet.due + index * gap, packet.frame) for index, packet in enumerate(trace.packets)]
    (folder / "packets.pcap").write_bytes(pcap(frames))
    varied = set(CONFIGS["loose1_liberal0"])
    setting = {
        "name": folder.name,
        "about": about,
        "tags": ["timeout"] if trace.timed else [],
        "eni": [str(address) for address in trace.addresses],
        "rules": [rule_words(rule) for rule in trace.rules],
        "options": {name: value for name, value in trace.options.items() if name not in varied},
        "extra_configs": {},
        "notes": list(notes),
    }
    (folder / "rules.json").write_text(json.dumps(setting, indent=1) + "\n")
    record(folder)


def pcap(frames: Sequence[tuple[int, bytes]]) -> bytes:
    """A classic little-endian microsecond capture of Ethernet frames; times are ns behind START."""
    head = struct.pack("<IHHiIII", LITTLE_ENDIAN_MICROSECONDS, 2, 4, 0, 0, 65535 + 64, LINKTYPE_ETHERNET)
    records = [
        struct.pack("<IIII", START + time // 10**9, time % 10**9 // 1000, len(data), len(data)) + data
        for time, data in frames
    ]
    return head + b"".join(records)


def rule_words(rule: Rule) -> dict[str, Any]:
    """A rule as `rules.json` has it."""
    words = {
        "dir": rule.direction,
        "proto": NAMES.get(rule.protocol, rule.protocol),
        "cidr": str(rule.peer),
        "ports": list(rule.ports) if rule.ports else None,
        "type": rule.icmp_type,
        "code": rule.icmp_code,
    }
    return {key: value for key, value in words.items() if value is not None}


class Setting(NamedTuple):
    """What `rules.json` and `packets.pcap` of a folder say."""

    frames: list[Timed]
    addresses: tuple[Address, ...]
    rules: tuple[Rule, ...]
    words: dict[str, Any]


def read_setting(folder: Path) -> Setting:
    """A case before its verdicts."""
    words = json.loads((folder / "rules.json").read_text())
    frames = read_frames(folder / "packets.pcap")
    return Setting(
        [Timed(time - frames[0][0], data) for time, data in frames],
        tuple(ip_address(address) for address in words["eni"]),
        tuple(rule_of(rule) for rule in words["rules"]),
        words,
    )


def replay_case(setting: Setting, options: Mapping[str, int]) -> list[Answer]:
    """The kernel's answers to a case's packets, sent at the times of the capture."""
    with Kernel(setting.addresses, reasons=True) as kernel:
        kernel.configure(setting.rules, options)
        return kernel.replay(setting.frames)


def strings(answers: Sequence[Answer]) -> dict[str, Any]:
    """One letter a packet: verdict, ct state, entry."""
    return {
        "verdicts": "".join(answer.verdict for answer in answers),
        "ct": "".join(answer.ct for answer in answers),
        "entry": "".join(answer.entry for answer in answers),
    }


def record(folder: Path) -> None:
    """Write `verdicts.json`: every configuration, one that gave the same result by its name alone."""
    setting = read_setting(folder)
    configs: dict[str, dict[str, Any]] = {}
    for name, options in (CONFIGS | setting.words["extra_configs"]).items():
        merged = {**setting.words["options"], **options}
        answers = replay_case(setting, merged)
        found = strings(answers)
        same = [other for other, had in configs.items() if all(had.get(key) == found[key] for key in found)]
        if same:
            configs[name] = {"same_as": same[0], "options": merged}
        else:
            configs[name] = {**found, "options": merged, **details(answers, setting.words.get("notes", ()))}
    verdicts = {
        "case": folder.name,
        "kernel": platform.release(),
        "n": len(setting.frames),
        "legend": LEGEND,
        "configs": configs,
    }
    (folder / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n")


def details(answers: Sequence[Answer], notes: Sequence[str]) -> dict[str, Any]:
    """One line a packet for readers; empty for a large case."""
    if len(answers) > MOST_DETAILED:
        return {}
    lines = []
    for index, answer in enumerate(answers):
        line = {"i": index, "note": notes[index] if index < len(notes) else "", "v": answer.verdict}
        lines.append({**line, "ct": CT_WORDS[answer.ct], "rule": answer.rule, "reason": answer.reason})
    return {"packets": lines}


def check(folder: Path) -> list[str]:
    """One line for each configuration in which the running kernel's verdicts or ct states differ from the record."""
    setting = read_setting(folder)
    configs = json.loads((folder / "verdicts.json").read_text())["configs"]
    lines = []
    for name, recorded in configs.items():
        told = configs[recorded["same_as"]] if "same_as" in recorded else recorded
        answers = replay_case(setting, recorded["options"])
        had = zip(told["verdicts"], told["ct"], strict=True)
        differing = [
            index + 1 for index, (answer, pair) in enumerate(zip(answers, had, strict=True)) if answer[:2] != pair
        ]
        if differing:
            lines.append(f"{folder.name} {name}: packets {differing}")
    return lines


def main() -> int:
    """Record or check the folders named; 1 if a check found a difference."""
    parser = argparse.ArgumentParser(description="record cases from the running kernel (root)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("folders", nargs="+", type=Path)
    asked = parser.parse_args()
    lines: list[str] = []
    for folder in asked.folders:
        if asked.check:
            lines += check(folder)
        else:
            record(folder)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
