"""Exact tasks: rules that are too wide, too narrow or elsewhere than the solution lose points, others do not."""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from firewall.lessons.catalog import lessons, load_lesson
from firewall.lessons.exact import exact_marks
from firewall.lessons.grade import grade
from firewall.lessons.lesson import Lesson
from firewall.lessons.marks import Mark
from firewall.lessons.probes import MOST, Service, frames, probes
from firewall.lessons.read import read_lesson
from firewall.model import RuleSet
from firewall.sources import load_rules
from pcaps.capture import frames_batch
from tests.firewall.lesson_folders import lesson_folder, problems

SECONDS = 2.0  # that the probes of a lesson may take, both times judged
WEB = """
security_groups: {web: {ingress: [INGRESS], egress: [EGRESS]}}
interfaces: {eni-web: {addresses: [10.0.1.10, "2001:db8:1::10"], security_groups: [web]}}
"""
ASKED = "everything that the task asks for"


def written(place: Path, ingress: str, egress: str = "", name: str = "mine.yaml", text: str = WEB) -> Path:
    """A rule file."""
    file = place / name
    file.write_text(text.replace("INGRESS", ingress).replace("EGRESS", egress), encoding="utf-8")
    return file


def web_task(place: Path, exact: str = "true") -> Lesson:
    """The template, its solution tcp/443 from a network and over IPv6, no network ACL."""
    shutil.rmtree(place / "my-lesson", ignore_errors=True)
    lesson = read_lesson(lesson_folder(place, ("exact: true", f"exact: {exact}")))
    asked = "{type: HTTPS, source: 198.51.100.0/24}, {type: HTTPS, source: '::/0'}"
    assert lesson.task is not None
    return replace(lesson, task=replace(lesson.task, solution=written(place, asked, name="solution.yaml")))


def marks(place: Path, ingress: str, egress: str = "", exact: str = "true") -> tuple[Mark, ...]:
    """The two marks of a learner's rules for that task."""
    task = web_task(place, exact).task
    assert task is not None
    return exact_marks(task, [written(place, ingress, egress)])


def told(mark: Mark) -> tuple[str, str, str]:
    """The probe that tells, the rule that let it in, the nearest miss."""
    assert mark.fault is not None
    return mark.fault.text, mark.fault.rule, "" if mark.fault.hint is None else mark.fault.hint.en


V4, V6 = "{type: HTTPS, source: 198.51.100.0/24}", "{type: HTTPS, source: '::/0'}"
SENSIBLE = {
    "another order": f"{V6}, {V4}",
    "two blocks in place of one": f"{V6}, {V4.replace('0/24', '0/25')}, {V4.replace('0/24', '128/25')}",
    "halves of everywhere": f"{V4}, {V6.replace('::/0', '::/1')}, {V6.replace('::/0', '8000::/1')}",
    "a rule twice": f"{V4}, {V4}, {V6}",
    "in numbers": "{protocol: 6, ports: 443-443, source: 198.51.100.0/24}, " + V6,
}


@pytest.mark.parametrize("ingress", SENSIBLE.values(), ids=SENSIBLE)
def test_other_words_for_the_same_traffic_are_right(ingress: str, tmp_path: Path) -> None:
    asked, other = marks(tmp_path, ingress)
    assert (asked.passed, other.passed) == (True, True)
    assert re.fullmatch(rf"{ASKED}: ([1-9][0-9]*) of \1 tries pass", asked.about.en)
    assert re.fullmatch(r"anything else: 0 of [1-9][0-9]* tries pass", other.about.en)


WIDE = {
    "all UDP": (f"{V4}, {V6}, {{protocol: udp, ports: all, source: 0.0.0.0/0}}", ":53 udp", "web:ingress[2] udp from"),
    "one address more": (f"{V4}, {V6}, {{type: HTTPS, source: 198.51.101.0/32}}", "198.51.101.0:", "web:ingress[2]"),
    "one port more": (f"{{protocol: tcp, ports: 442-443, source: 198.51.100.0/24}}, {V6}", ":442 tcp", "tcp 442-443"),
    "a twice as large network": (f"{V4.replace('0/24', '0/23')}, {V6}", "198.51.101.", "/23"),
    "ESP": (f"{V4}, {V6}, {{protocol: esp, source: 0.0.0.0/0}}", " esp", "web:ingress[2] esp from"),
    "ICMP": (f"{V4}, {V6}, {{protocol: icmp, icmp: all, source: 0.0.0.0/0}}", "icmp 8/0", "web:ingress[2] icmp from"),
    "the wrong family": (f"{V4}, {V6}, {{type: HTTPS, source: 0.0.0.0/0}}", "203.0.113.177:", "tcp 443 from 0.0.0.0/0"),
}


@pytest.mark.parametrize(("ingress", "probe", "rule"), WIDE.values(), ids=WIDE)
def test_what_is_too_wide_is_told_with_the_rule_that_lets_it_in(
    ingress: str, probe: str, rule: str, tmp_path: Path
) -> None:
    asked, other = marks(tmp_path, ingress)
    assert (asked.passed, other.passed, other.want) == (True, False, "deny")
    text, admitted, _ = told(other)
    assert (probe in text, rule in admitted) == (True, True), (text, admitted)
    assert re.fullmatch(r"anything else: [1-9][0-9]* of [1-9][0-9]* tries pass", other.about.en)


NARROW = {
    "addresses in place of a network": (V4.replace("0/24", "7/32") + ", " + V6, "198.51.100.16:", "fails on source"),
    "half of the network": (V4.replace("0/24", "0/25") + ", " + V6, "198.51.100.", "fails on source only"),
    "the port beside": (
        f"{{protocol: tcp, ports: 444, source: 198.51.100.0/24}}, {V6}",
        ":443 tcp",
        "on source only (198.51.100.16)",
    ),
    "one family alone": (V4, "[2001:db8:ffff::77]:49152 -> [2001:db8:1::10]:443 tcp", "fails on source only"),
}


@pytest.mark.parametrize(("ingress", "probe", "hint"), NARROW.values(), ids=NARROW)
def test_what_is_too_narrow_is_told_with_the_nearest_miss(ingress: str, probe: str, hint: str, tmp_path: Path) -> None:
    asked, _ = marks(tmp_path, ingress)
    assert (asked.passed, asked.want) == (False, "allow")
    text, _, nearest = told(asked)
    assert (probe in text, hint in nearest) == (True, True), (text, nearest)


def test_a_task_may_be_exact_about_one_direction_alone(tmp_path: Path) -> None:
    every = "{protocol: all, destination: 0.0.0.0/0}"
    both, inward = (marks(tmp_path, f"{V4}, {V6}", every, exact) for exact in ("true", "ingress"))
    assert ([mark.passed for mark in both], [mark.passed for mark in inward]) == ([True, False], [True, True])
    assert marks(tmp_path, f"{V4}, {V6}", every, "false") == ()
    changed = ("exact: false", "exact: inbound")
    (problem,) = problems(lesson_folder(tmp_path, changed))
    assert problem.endswith("task.exact - 'inbound' cannot stand here: known here: true, false, ingress, egress")


def test_interfaces_are_told_apart_by_address_and_not_by_name(tmp_path: Path) -> None:
    task = web_task(tmp_path).task
    assert task is not None
    renamed = written(tmp_path, f"{V4}, {V6}", text=WEB.replace("eni-web", "eni-0123"))
    assert [mark.passed for mark in exact_marks(task, [renamed])] == [True, True]
    moved = written(tmp_path, f"{V4}, {V6}", text=WEB.replace("eni-web", "eni-x").replace("10.0.1.10", "10.0.1.11"))
    missing, extra = exact_marks(task, [moved])
    assert missing.fault is not None
    assert extra.fault is not None
    assert missing.fault.why == (
        "your rules lack an interface that the task has: eni-web (10.0.1.10, 2001:db8:1::10)",
        "과제에 있는 인터페이스가 작성한 규칙에 없습니다: eni-web (10.0.1.10, 2001:db8:1::10)",
    )
    assert extra.fault.why == (
        "your rules have an interface that the task does not have: eni-x (10.0.1.11, 2001:db8:1::10)",
        "과제에 없는 인터페이스가 작성한 규칙에 있습니다: eni-x (10.0.1.11, 2001:db8:1::10)",
    )


def test_the_same_rules_have_the_same_marks_every_time(tmp_path: Path) -> None:
    ingress = f"{V4.replace('0/24', '0/25')}, {V6}, {{protocol: udp, ports: all, source: 0.0.0.0/0}}"
    assert marks(tmp_path, ingress) == marks(tmp_path, ingress)


def many(count: int, place: Path) -> RuleSet:
    """So many rules for as many networks and ports."""
    rules = (f"{{protocol: tcp, ports: {1000 + 10 * n}, source: 10.{n}.0.0/16}}" for n in range(count))
    return load_rules(written(place, ", ".join(rules), name="many.yaml"))


def test_of_many_probes_a_bounded_number_is_drawn_the_same_every_time(tmp_path: Path) -> None:
    rules = many(100, tmp_path)
    drawn = probes(rules, rules)
    assert 0.8 * MOST < len(drawn) <= MOST
    assert drawn == probes(rules, rules)
    assert len(set(drawn)) == len(drawn)
    few = load_rules(written(tmp_path, V4))
    assert set(probes(few, few)) <= set(probes(few, rules))  # many rules of a learner crowd out none of the solution's
    assert Service(6, 443) in {each.service for each in probes(few, rules)}


def test_every_probe_is_read_as_what_it_says(tmp_path: Path) -> None:
    rules = load_rules(written(tmp_path, "{protocol: sctp, source: 0.0.0.0/0}, " + V6))
    sent = probes(rules, rules)
    records = frames_batch(frames(sent)).records
    assert records["protocol"].tolist() == [each.service.protocol for each in sent]
    assert {6, 17, 1, 58, 50, 132} <= set(records["protocol"].tolist())
    assert not records["status"].any()
    ported = [place for place, each in enumerate(sent) if each.service.protocol in (6, 17)]
    assert records["dst_port"][ported].tolist() == [sent[place].service.port for place in ported]
    assert not records["bad_ip_checksum"].any()


def test_every_lesson_s_solution_lets_pass_some_probes_and_stops_some_and_is_quick() -> None:
    seen = 0
    for lesson in lessons():
        assert lesson.task is not None
        began = time.perf_counter()
        found = exact_marks(lesson.task, [lesson.task.solution])
        assert time.perf_counter() - began < SECONDS, lesson.name
        tries = [
            int(re.findall("([0-9,]+) of ([0-9,]+) tries", mark.about.en)[0][1].replace(",", "")) for mark in found
        ]
        assert all(tries), lesson.name
        assert all(mark.passed for mark in found), lesson.name
        seen += len(found)
    assert seen == 2 * len(lessons())


WRONG = {  # lesson: what is written in place of what in its solution
    "response-traffic": ("ingress: []", "ingress: [{protocol: udp, ports: all, source: 0.0.0.0/0}]"),
    "return-traffic": (
        "    egress:\n      - {number: 100",
        "      - {number: 200, action: allow, type: RDP, source: 0.0.0.0/0}\n    egress:\n      - {number: 100",
    ),
    "address-families": ("    egress: []\n", "    egress: [{protocol: tcp, ports: 25, destination: 0.0.0.0/0}]\n"),
    "several-groups": ("HTTPS, source: 0.0.0.0/0", "HTTPS, source: 198.51.100.7/32"),
    "path-mtu": ("icmp: 3/4, source: 0.0.0.0/0, d", "icmp: 3/-1, source: 0.0.0.0/0, d"),
    "tracking-allowance": ("203.0.113.0/24", "203.0.113.20/32"),
    "late-answer": (", udp_stream_timeout: 60", ""),
    "prefix-list": ("pl:corp-v6", "2001:db8:7::/48"),
    "idle-connection": ("4500", "432000"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_wrong_answer_loses_a_point(name: str, tmp_path: Path) -> None:
    lesson = load_lesson(name)
    assert lesson.task is not None
    text = lesson.task.solution.read_text(encoding="utf-8")
    old, new = WRONG[name]
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert not grade(lesson, file).passed


def test_a_solution_without_an_address_has_no_probe() -> None:
    assert probes(RuleSet({}), RuleSet({})) == []
