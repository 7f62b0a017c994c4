"""Grading: the score, the packet that tells, the rule that lets too much through, the nearest miss."""

from pathlib import Path

import pytest

from firewall.errors import RuleFileError, UsageError
from firewall.languages import Text
from firewall.lessons.catalog import load_lesson
from firewall.lessons.check import check
from firewall.lessons.grade import Grade, grade
from firewall.lessons.lesson import Lesson
from firewall.lessons.marks import Fault
from firewall.lessons.read import read_lesson
from tests.firewall.lesson_folders import lesson_folder

LESSON = load_lesson("return-traffic")
ANSWERS = "{number: 100, action: allow, protocol: tcp, ports: 1024-65535, destination: 198.51.100.0/24}"

DENIED = "{number: 50, action: deny, protocol: tcp, ports: 40000, destination: 0.0.0.0/0}"


def graded(place: Path, egress: str, ingress: str = "{type: SSH, source: 198.51.100.0/24}") -> Grade:
    """The first lesson's grade of these outbound entries of the network ACL, and an inbound one."""
    rules = place / "my-rules.yaml"
    rules.write_text(
        f"""
security_groups:
  web: {{ingress: [{{type: SSH, source: 198.51.100.0/24}}], egress: []}}
network_acls:
  edge:
    ingress: [{ingress.replace("{", "{number: 100, action: allow, ")}]
    egress: [{egress}]
subnets:
  a: {{cidr: 10.0.1.0/24, network_acl: edge}}
interfaces:
  eni-web: {{addresses: [10.0.1.10], subnet: a, security_groups: [web]}}
""",
        encoding="utf-8",
    )
    return grade(LESSON, rules)


def faults(found: Grade) -> dict[str, Fault]:
    """The faults by what their connections are about, without the two marks of exactness."""
    return {mark.about.en: mark.fault for mark in found.marks[:-2] if mark.fault is not None}


def test_all_is_right(tmp_path: Path) -> None:
    found = graded(tmp_path, ANSWERS)
    assert (found.score, found.total, found.passed, faults(found)) == (10, 10, True, {})


def test_a_missing_entry_is_told_with_the_first_packet_that_fails(tmp_path: Path) -> None:
    found = faults(graded(tmp_path, ""))
    assert list(found) == [
        "a login from the office",
        "a login of another machine in the office, from a high port",
        "a login through a NAT gateway, which chooses ports from 1024 on",
    ]
    assert found["a login from the office"] == Fault(
        packet=2,
        text="10.0.1.10:22 -> 198.51.100.7:40000 tcp",
        interface="eni-web",
        direction="egress",
        verdict="DENY",
        reason="nacl-egress",
        why=Text(
            "The subnet's network ACL denies it on the way out: edge:egress[*].",
            "서브넷의 네트워크 ACL이 아웃바운드에서 거부함(edge:egress[*]).",
        ),
        rule="edge:egress[*] all to 0.0.0.0/0",
        hint=Text(
            "the network ACL has no egress entry that allows anything",
            "네트워크 ACL에는 트래픽을 허용하는 아웃바운드 항목이 없습니다",
        ),
    )


def test_a_range_too_small_is_told_by_the_field_that_fails(tmp_path: Path) -> None:
    found = faults(graded(tmp_path, ANSWERS.replace("1024-65535", "32768-65535")))
    assert {about: (fault.packet, fault.hint) for about, fault in found.items()} == {
        "a login through a NAT gateway, which chooses ports from 1024 on": (
            2,
            Text(
                "closest: edge:egress[100] tcp 32768-65535 to 198.51.100.0/24 fails on port only (1024)",
                "가장 가까운 규칙 edge:egress[100] tcp 32768-65535 to 198.51.100.0/24: 일치하지 않는 필드는 포트(1024)",
            ),
        )
    }


def test_an_entry_that_denies_first_is_named(tmp_path: Path) -> None:
    found = faults(graded(tmp_path, f"{DENIED}, {ANSWERS}"))
    assert found["a login from the office"].hint == Text(
        "edge:egress[50] tcp 40000 to 0.0.0.0/0 denies it, and the lowest number that fits decides",
        "edge:egress[50] tcp 40000 to 0.0.0.0/0 항목이 거부합니다. 일치하는 항목 중 번호가 가장 낮은 항목이 적용됩니다",
    )


def test_what_is_too_wide_is_told_with_the_entry_that_lets_it_pass(tmp_path: Path) -> None:
    every = "{number: 100, action: allow, protocol: all, destination: 0.0.0.0/0}"
    found = faults(graded(tmp_path, every, "{protocol: all, source: 0.0.0.0/0}"))
    through = {about: (fault.packet, fault.verdict, fault.rule) for about, fault in found.items()}
    inward = (1, "ALLOW", "edge:ingress[100] all from 0.0.0.0/0")
    outward = (1, "ALLOW", "edge:egress[100] all to 0.0.0.0/0")
    assert through == {
        "a stranger knocks at SSH": inward,
        "the server dials a stranger's port 8080": outward,
        "the server logs in to an office machine": outward,
        "a datagram from the server to the office": outward,
        "the office asks for a web page": inward,
    }
    assert {fault.hint for fault in found.values()} == {None}


def test_security_groups_are_told_by_their_nearest_rule() -> None:
    lesson = load_lesson("response-traffic")
    assert lesson.task is not None
    found = faults(grade(lesson, lesson.task.start))
    assert found["a stranger dials a high port"].rule == "web:ingress[0] tcp 1024-65535 from 0.0.0.0/0"
    assert (found["a fetch from a low ephemeral port"].packet, len(found)) == (2, 2)


def own(place: Path, hidden: str, start: str = "egress: []\nnetwork") -> Lesson:
    """The template with another first hidden connection, judged by security groups and network ACLs together."""
    line = '      - {tcp: "customer:40000 > web:80", send: ">S <SA >A >PA <PA"}\n'
    lesson_folder(place, (line, hidden), file="hidden.yaml")
    return read_lesson(lesson_folder(place, ("egress: []\nnetwork", start), file="start.yaml"))


REVOKED = """      - {tcp: "customer:40000 > web:80", send: ">S <SA >A"}
      - {change: {revoke: ["web:ingress[0]"]}}
      - {tcp: "customer:40000 > web:80", send: ">PA"}
"""


def test_of_an_unwanted_connection_a_later_packet_may_be_the_one(tmp_path: Path) -> None:
    lesson_folder(tmp_path, ("- want: allow", "- want: deny\n    packet: 4"), file="hidden.yaml")
    lesson = own(tmp_path, REVOKED)
    assert lesson.task is not None
    (first, *_) = grade(lesson, lesson.task.solution).marks
    assert first.fault is not None  # a tracked connection outlives its rule
    assert (first.fault.packet, first.fault.verdict, first.fault.reason) == (4, "ALLOW", "established")
    (first, *_) = grade(lesson, lesson.task.start).marks
    assert first.fault is not None  # and the packets before it must pass
    assert (first.fault.packet, first.fault.verdict, first.fault.reason) == (2, "DENY", "nacl-egress")


def test_a_change_that_does_not_fit_the_rules_is_told_and_not_raised(tmp_path: Path) -> None:
    lesson = own(tmp_path, REVOKED.replace("web:ingress[0]", "web:ingress[7]"))
    assert lesson.task is not None
    (first, *_) = grade(lesson, lesson.task.solution).marks
    assert first.fault is not None
    assert (first.fault.packet, "no rule 'web:ingress[7]' at this point" in first.fault.why.en) == (0, True)
    assert any("web:ingress[7]" in problem for problem in check(lesson))


def test_rules_without_the_interface_fail_what_is_wanted(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "security_groups: {web: {ingress: [], egress: []}}\n"
        "interfaces: {eni-x: {addresses: [10.0.9.9], security_groups: [web]}}\n"
    )
    found = grade(LESSON, rules)
    assert (found.score, found.total) == (5, 10)
    assert {fault.reason for fault in faults(found).values()} == {"other-interface"}


def test_the_object_for_programs_has_every_text_in_both_languages(tmp_path: Path) -> None:
    found = graded(tmp_path, "").as_object()
    assert {key: found[key] for key in ("format", "lesson", "reading", "score", "total", "passed")} == {
        "format": 1,
        "lesson": "return-traffic",
        "reading": "nacl",
        "score": 6,
        "total": 10,
        "passed": False,
    }
    first = found["connections"][0]
    assert (first["want"], first["about"]["ko"], first["passed"]) == ("allow", "사무실에서 하는 로그인", False)
    assert set(first["fault"]) == set(Fault.__slots__)
    assert set(first["fault"]["why"]) == set(first["fault"]["hint"]) == {"en", "ko"}


def test_rules_that_cannot_be_used_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="no such file"):
        grade(LESSON, tmp_path / "nothing.yaml")


def test_a_lesson_without_a_task_has_no_grade(tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path)
    text = (folder / "lesson.yaml").read_text(encoding="utf-8")
    (folder / "lesson.yaml").write_text(text[: text.index("\ntask:")], encoding="utf-8")
    lesson = read_lesson(folder)
    assert check(lesson) == []
    with pytest.raises(UsageError, match="the lesson my-lesson has no task"):
        grade(lesson, folder / "rules.yaml")


# --- check ---------------------------------------------------------------------------------------------------
REVOKE = '<PA"}\n      - {change: {revoke: ["web:ingress[%d]"]}}'
UNTRUE = {
    "a solution that fails": (
        ("solution.yaml", "1024-65535", "1024-2000"),
        "solution.yaml: does not solve the task: a customer opens a page (want: allow): packet 2 is DENY nacl-egress",
    ),
    "a start that solves": (
        ("lesson.yaml", "start: start.yaml", "start: solution.yaml"),
        "solution.yaml: solves the task already (5 points): leave something to do",
    ),
    "a question about no packet": (
        ("lesson.yaml", "packet: 2", "packet: 6"),
        "lesson.yaml:35:9 scenes[0].questions[0] - packet 6 has no verdict",
    ),
    "a letter too few": (
        ("lesson.yaml", "nacl: ADAAD", "nacl: ADAA"),
        "expected ADAA, the engine says ADAAD (4 and 5 signs): the first difference is at packet 5",
    ),
    "a letter too many": (
        ("lesson.yaml", "nacl: ADAAD", "nacl: ADAADA"),
        "expected ADAADA, the engine says ADAAD (6 and 5 signs): the first difference is at its end",
    ),
    "no network ACL": (
        ("rules.yaml", ", network_acl: edge", ""),
        "no interface is in a subnet with a network ACL, so that nacl says nothing: add subnets and network_acls",
    ),
    "rules that cannot be read": (
        ("rules.yaml", "type: HTTP,", "type: HTPP,"),
        "rules.yaml:5:16 security_groups.web.ingress[0].type - unknown type 'HTPP': did you mean HTTP?",
    ),
    "a change behind everything": (
        ("lesson.yaml", '<PA"}', REVOKE % 0),
        "the change 'revoke web:ingress[0]' stands behind the last packet: put packets behind it",
    ),
    "a change of nothing": (("lesson.yaml", '<PA"}', REVOKE % 9), "no rule 'web:ingress[9]' at this point"),
    "a field that scapy does not know": (
        ("lesson.yaml", '<PA"}', "<PA\"}\n      - {scapy: 'IP(tcp=1)'}"),
        "lesson.yaml:33:17 scenes[0].packets[1].scapy - IP has no field tcp",
    ),
    "a setting that there is not": (
        ("lesson.yaml", "    packets:", "    settings: {tcp_lose: 0}\n    packets:"),
        "lesson.yaml:26:5 scenes[0] - tcp_lose: no such setting; did you mean tcp_loose?",
    ),
    "a connection that should not pass": (
        ("hidden.yaml", "- want: deny", "- want: allow"),
        "solution.yaml: does not solve the task: a stranger tries SSH (want: allow): packet 1 is DENY nacl-ingress",
    ),
}


@pytest.mark.parametrize(("change", "told"), UNTRUE.values(), ids=UNTRUE)
def test_check_finds_what_a_lesson_says_wrongly(change: tuple[str, str, str], told: str, tmp_path: Path) -> None:
    file, old, new = change
    found = check(read_lesson(lesson_folder(tmp_path, (old, new), file=file)))
    assert any(told in problem for problem in found), found


def test_a_task_that_careless_rules_would_solve_is_told(tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path)
    text = (folder / "hidden.yaml").read_text(encoding="utf-8")
    (folder / "hidden.yaml").write_text(text[: text.index("  - want: deny")], encoding="utf-8")
    (problem,) = check(read_lesson(folder))
    assert problem.endswith("no connection has want: deny, so that rules that allow everything score all: add one")
