"""`eniwall lesson`: what each command prints, asks and returns."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firewall.languages import Text
from firewall.lessons.catalog import COURSES, lessons, load_lesson
from firewall.lessons.view import grade_text
from firewall.reports.layout import cells
from tests.firewall.lesson_folders import lesson_folder
from tests.firewall.test_cli import ROOT, Run

LINE = '- {tcp: "customer:40000 > web:80", send: ">S <SA >A >PA <PA"}'  # of a new lesson
FIRST = COURSES / "return-traffic"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


# --- list and show -------------------------------------------------------------------------------------------
def test_the_list_has_a_lesson_a_line_its_name_first(run: Run) -> None:
    lines = run("lesson", "list").out.splitlines()
    assert len(lines) == len(lessons())
    assert re.fullmatch(r"return-traffic +1  Return traffic", lines[0])
    assert [line.split()[0] for line in lines] == [lesson.name for lesson in lessons()]
    korean = run("lesson", "list", "--lang", "ko").out.splitlines()
    assert korean[0].endswith("1  반환 트래픽")


def test_the_list_for_programs(run: Run) -> None:
    (first, *_) = json.loads(run("lesson", "list", "--json").out)
    assert first == {
        "name": "return-traffic",
        "number": 1,
        "title": {"en": "Return traffic", "ko": "반환 트래픽"},
        "teaches": load_lesson("1").teaches._asdict(),
        "scenes": 3,
        "questions": 4,
        "task": True,
    }


def test_the_list_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom firewall import cli\n"
        "try:\n    cli.main(['lesson', 'list'])\n"
        "except SystemExit:\n    print('loaded', *{'numpy', 'numba', 'scapy', 'rich', 'pydantic'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("return-traffic")
    assert done.stdout.splitlines()[-1] == "loaded"


def test_what_is_shown_gives_no_answer_away(run: Run) -> None:
    told = run("lesson", "show", "return-traffic").out
    assert told.startswith("Lesson 1: Return traffic\n\nMina opens SSH")
    assert "  - SSH in, nothing out\n" in told
    assert "eniwall lesson start return-traffic -o my-rules.yaml" in told
    assert ("ALLOW" in told, "DENY" in told) == (False, False)
    shown = json.loads(run("lesson", "show", "1", "--json").out)
    assert shown["hosts"] == {"client": "198.51.100.7", "web": "10.0.1.10"}
    assert shown["scenes"][0]["rules"] == [{"name": "rules.yaml", "text": (FIRST / "rules.yaml").read_text()}]
    assert (shown["task"]["reading"], shown["task"]["start"]) == ("nacl", (FIRST / "rules.yaml").read_text())
    assert "verdicts" not in shown["scenes"][0]


# --- start and grade -----------------------------------------------------------------------------------------
def test_a_task_is_begun_and_graded_until_it_is_right(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "my-rules.yaml"
    done = run("lesson", "start", "return-traffic", "-o", mine)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"eniwall: wrote {mine}; have it graded with: eniwall lesson grade return-traffic {mine}\n"
    assert mine.read_text() == (FIRST / "rules.yaml").read_text() == run("lesson", "start", "1").out
    done = run("lesson", "grade", "return-traffic", mine)
    assert done.status == 1
    assert done.out.startswith(
        """6 of 10 points (network ACLs alone)

  WRONG  must pass: a login from the office
      packet 2 of 5, 10.0.1.10:22 -> 198.51.100.7:40000 tcp, is DENY nacl-egress at eni-web
      The subnet's network ACL denies it on the way out: edge:egress[*].
      The network ACL has no egress entry that allows anything.
"""
    )
    assert "  right  must not pass: a stranger knocks at SSH\n" in done.out
    mine.write_text((FIRST / "with-answers.yaml").read_text())
    done = run("lesson", "grade", "return-traffic", mine)
    assert (done.status, done.out.splitlines()[0]) == (0, "10 of 10 points (network ACLs alone)")
    assert done.out.endswith("\nAll is right.\n")


def test_what_passes_and_should_not_is_told_with_its_rule(run: Run) -> None:
    done = run("lesson", "grade", "2", COURSES / "response-traffic" / "start.yaml")
    assert done.status == 1
    assert (
        """
  WRONG  must not pass: a stranger dials a high port
      packet 1 of 1, 198.51.100.9:40000 -> 10.0.1.10:50123 tcp, passes under web:ingress[0] tcp
      1024-65535 from 0.0.0.0/0
"""
        in done.out
    )
    korean = run("lesson", "grade", "2", COURSES / "response-traffic" / "start.yaml", "--lang", "ko").out
    assert korean.startswith("10점 만점에 7점 (네트워크 ACL과 보안 그룹을 함께 적용)\n")
    assert "  틀림  통과하면 안 됨: 외부인이 높은 번호의 포트로 시도하는 연결\n" in korean


def test_a_grade_for_programs(run: Run) -> None:
    done = run("lesson", "grade", "1", FIRST / "rules.yaml", "--json")
    found = json.loads(done.out)
    assert (done.status, found["score"], found["total"], len(found["connections"])) == (1, 6, 10, 10)


def test_warnings_about_a_learner_s_rules_are_written(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text((FIRST / "with-answers.yaml").read_text().replace("198.51.100.0/24", "198.51.100.7/24"))
    done = run("lesson", "grade", "1", mine)
    assert done.status == 0
    assert "eniwall: warning: " in done.err
    assert "198.51.100.7/24 has host bits set" in done.err


def test_rules_that_cannot_be_used_exit_with_2(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("security_groups: {web: {ingress: [{type: SHH}]}}\n")
    done = run("lesson", "grade", "1", broken)
    assert (done.status, done.out) == (2, "")
    assert "unknown type 'SHH': did you mean SSH?" in done.err


def test_rules_without_interfaces_say_so(run: Run, tmp_path: Path) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text("security_groups: {web: {ingress: [], egress: []}}\n")
    done = run("lesson", "grade", "1", bare)
    told = "states no interface, so that no packet meets its rules: add interfaces: with their addresses and groups"
    assert (done.status, done.out, done.err) == (2, "", f"eniwall: {bare}: {told}\n")


def test_nobody_s_work_is_written_over(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine")
    done = run("lesson", "start", "1", "-o", mine)
    assert (done.status, mine.read_text()) == (2, "mine")
    assert done.err == f"eniwall: {mine}: is there already; choose another name, or delete it first\n"
    done = run("lesson", "start", "1", "-o", tmp_path / "no" / "mine.yaml")
    assert (done.status, done.err) == (2, f"eniwall: {tmp_path}/no/mine.yaml: No such file or directory\n")


# --- new and check -------------------------------------------------------------------------------------------
def test_a_new_lesson_does_at_once_what_it_says(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "my-lesson"
    done = run("lesson", "new", folder)
    assert (done.status, done.out) == (0, "")
    assert done.err.endswith(f"eniwall: next: eniwall lesson check {folder}\n")
    done = run("lesson", "check", folder)
    assert (done.status, done.out) == (
        0,
        "my-lesson: 1 scene, 1 question, 3 hidden connections, exact (ingress, egress), as written\n",
    )
    for words in (("run", folder), ("show", folder), ("start", folder), ("grade", folder, folder / "solution.yaml")):
        assert run("lesson", *words).status == 0
    assert run("lesson", "grade", folder, folder / "start.yaml").status == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [("My Lesson", "has a lower-case name with hyphens, like my-lesson"), ("there", "is there already")],
)
def test_a_folder_that_cannot_be_made(name: str, told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    done = run("lesson", "new", tmp_path / name)
    assert (done.status, told in done.err) == (2, True)


def test_check_exits_with_1_for_what_is_untrue_and_2_for_what_cannot_be_read(run: Run, tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path, ("sg: AAAAA", "sg: AAAAD"))
    done = run("lesson", "check", folder)
    assert (done.status, done.err) == (1, "")
    assert done.out == (
        f"{folder}/lesson.yaml:33:20 scenes[0].verdicts.sg - expected AAAAD, the engine says AAAAA:"
        " the first difference is at packet 5\n"
    )
    lesson_folder(tmp_path, ("number:", "nummer:"))
    done = run("lesson", "check", folder)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("eniwall: 2 problems in the lesson:\n")


def test_of_long_rows_of_letters_only_the_first_difference_is_shown(run: Run, tmp_path: Path) -> None:
    packets = f'- {{tcp: "customer:40000 > web:80", send: "{">S " * 100}"}}'
    wanted = "A" * 60 + "D" + "A" * 139
    letters = (f"sg: {wanted}, stateless: {'A' * 100}, nacl: {'A' * 100}", "sg: AAAAA, stateless: ADAAD, nacl: ADAAD")
    done = run("lesson", "check", str(lesson_folder(tmp_path, (LINE, packets), letters[::-1])))
    assert done.status == 1
    shown = f"expected ...{'A' * 20}D{'A' * 19}..., the engine says ...{'A' * 40}..."
    assert f"{shown} (200 and 100 signs): the first difference is at packet 61" in done.out


def test_check_without_a_name_checks_those_that_come_with_eniwall(run: Run) -> None:
    done = run("lesson", "check")
    assert (done.status, len(done.out.splitlines())) == (0, len(lessons()))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("return-trafic", "name: did you mean return-traffic? eniwall lesson list shows them all\n"),
        ("99999", "known here: return-traffic, "),
        ("99999", f" and {len(lessons()) - 20} more; eniwall lesson list shows them all\n"),
        ("../courses/return-traffic", "no lesson"),
        ("", "no lesson ''"),
    ],
)
def test_a_lesson_that_there_is_not(name: str, told: str, run: Run) -> None:
    done = run("lesson", "run", name)
    assert (done.status, done.out, told in done.err) == (2, "", True)


def test_a_grade_s_long_texts_are_broken_at_the_terminal_s_width() -> None:
    from firewall.lessons.grade import grade

    lesson = load_lesson("1")
    assert lesson.task is not None
    found = grade(lesson, lesson.task.start)
    for language in Text._fields:
        text = re.sub(r"\x1b\[[0-9;]*m", "", grade_text(found, language, 50))
        assert max(map(cells, text.splitlines())) <= 50
