"""`eniwall lesson run`: told whole on a pipe, asked on a terminal, at every width and in both languages."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from firewall.lessons.catalog import COURSES, lessons, load_lesson
from firewall.lessons.run import Run as Play
from firewall.lessons.scene import all_judged
from firewall.lessons.view import View
from firewall.reports.layout import cells
from tests.firewall.lesson_folders import lesson_folder
from tests.firewall.test_cli import ENIWALL, ROOT, Run

LINE = '- {tcp: "customer:40000 > web:80", send: ">S <SA >A >PA <PA"}'  # of a new lesson
FIRST = COURSES / "return-traffic"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def test_where_nobody_can_answer_the_whole_lesson_is_told() -> None:
    command = [*ENIWALL, "lesson", "run", "1"]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert (
        """
Packets
  #  from > to              what     sg                 stateless            nacl
  1  client:40000 > web:22  SYN      ALLOW rule         ALLOW rule           ALLOW rule
  2  web:22 > client:40000  SYN ACK  ALLOW established  DENY no-egress-rule  DENY nacl-egress
  3  client:40000 > web:22  ACK      ALLOW established  ALLOW rule           ALLOW rule
  4  client:40000 > web:22  PSH ACK  ALLOW established  ALLOW rule           ALLOW rule
  5  web:22 > client:40000  PSH ACK  ALLOW established  DENY no-egress-rule  DENY nacl-egress

Question 1 (packet 2, sg)
The server answers with SYN-ACK. The group has no outbound rule. Does the answer leave?
Answer: ALLOW established
Belongs to a connection that the table already holds, which web:ingress[0] let in.
"""
        in done.stdout
    )
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_comments_of_rule_files_are_shown_in_their_language(run: Run, tmp_path: Path) -> None:
    head = "# A web server.\n# 웹 서버입니다.\n"
    folder = lesson_folder(tmp_path, ("security_groups:", f"{head}security_groups: # the groups"), file="rules.yaml")
    english, korean = (run("lesson", "run", folder, "--lang", language).out for language in ("en", "ko"))
    assert ("  # A web server.\n  security_groups: # the groups\n" in english, "웹 서버입니다." in english) == (
        True,
        False,
    )
    assert ("  # 웹 서버입니다.\n  security_groups: # the groups\n" in korean, "A web server." in korean) == (
        True,
        False,
    )


class Answers:
    """A learner who types these words at questions, and at a pause Enter, or q where no word is left."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.prompts: list[str] = []

    def answer(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.words.pop(0)

    def pause(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return "" if self.words else "q"


STAYS = "the last word, which no question asks for"
ASKED = "Your prediction (a = ALLOW, d = DENY, Enter = reveal, q = leave)"


def played(*words: str, language: str = "en") -> tuple[list[str], list[str]]:
    """The pages of the first lesson to a learner, and what was asked."""
    pages: list[str] = []
    learner = Answers(*words)
    Play(View(load_lesson("1"), language, 80), pages.append, learner).play()
    assert learner.words in ([], [STAYS])
    return [re.sub(r"\x1b\[[0-9;]*m", "", page) for page in pages], learner.prompts


def test_a_learner_predicts_sees_why_and_has_a_score() -> None:
    pages, prompts = played("a", "allow", "maybe", "D", "a", STAYS)
    assert prompts == [
        *[ASKED] * 2,
        "Enter shows all verdicts, q leaves",
        "Enter goes on, q leaves",
        ASKED,
        "Type one of a, d, q, or Enter alone",
        "Enter shows all verdicts, q leaves",
        "Enter goes on, q leaves",
        ASKED,
        "Enter shows all verdicts, q leaves",
    ]
    answers = [page.split("\n", 1)[0] for page in pages if page.startswith(("Right", "No:"))]
    assert answers == [
        "Right: ALLOW established.",
        "No: it is DENY nacl-egress.",
        "No: it is ALLOW rule.",
        "Right: ALLOW rule.",
    ]
    assert pages[-1].startswith("\n2 of 4 predictions were right.\n")
    first = next(place for place, page in enumerate(pages) if page.startswith("Right"))
    assert all("ALLOW" not in page and "DENY" not in page for page in pages[:first])


def test_in_korean_everything_around_the_verdicts_is_korean() -> None:
    pages, prompts = played("a", "a", "d", "a", STAYS, language="ko")
    assert prompts[0] == "예상(a = ALLOW, d = DENY, Enter = 정답 보기, q = 나가기)"
    assert prompts[2] == "Enter = 모든 판정 보기, q = 나가기"
    assert "맞았습니다. ALLOW established입니다.\n" in pages[3]
    assert pages[-1].startswith("\n예상 4개 중 2개가 맞았습니다.\n")


def test_enter_reveals_and_does_not_count() -> None:
    pages, _ = played("", "d", "", "a", STAYS)
    answers = [page.split("\n", 1)[0] for page in pages if page.startswith(("Right", "No:", "Answer"))]
    assert answers == [
        "Answer: ALLOW established",
        "Right: DENY nacl-egress.",
        "Answer: ALLOW rule",
        "Right: ALLOW rule.",
    ]
    assert pages[-1].startswith("\n2 of 2 predictions were right.\n")
    assert "predictions" not in played("", "", "", "", STAYS)[0][-1]


@pytest.mark.parametrize(
    ("typed", "english", "korean"),
    [
        (
            ("a", "Q"),
            "You left. So far 1 of 1 predictions were right.",
            "강의를 도중에 종료했습니다. 지금까지 예상 1개 중 1개가 맞았습니다.",
        ),
        (
            ("a", "a"),  # and q at the pause behind them
            "You left. So far 1 of 2 predictions were right.",
            "강의를 도중에 종료했습니다. 지금까지 예상 2개 중 1개가 맞았습니다.",
        ),
        (("q",), "You left before you predicted anything.", "예상을 입력하지 않고 강의를 종료했습니다."),
    ],
)
def test_q_leaves_with_the_score_so_far(typed: tuple[str, ...], english: str, korean: str) -> None:
    assert played(*typed)[0][-1] == f"\n{english}\n"
    assert played(*typed, language="ko")[0][-1] == f"\n{korean}\n"


class Terminal:
    """A command on a terminal of so many columns."""

    def __init__(self, columns: int, *words: str) -> None:
        self.end, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns)}
        command = [*ENIWALL, *words]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=far, stdout=far, stderr=far)
        os.close(far)
        self.shown = b""

    def read_to(self, text: str) -> None:
        """Read until the terminal shows a text behind what it showed before."""
        before = len(self.shown)
        while text.encode() not in self.shown[before:]:
            assert select.select([self.end], [], [], 60)[0], self.shown[before:].decode()
            self.shown += os.read(self.end, 65536)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self.end, f"{text}\n".encode())

    def status(self) -> int:
        """The exit status, once everything has been read."""
        try:
            while data := os.read(self.end, 65536):
                self.shown += data
        except OSError:  # Linux says so at the end
            pass
        os.close(self.end)
        return self.process.wait(timeout=60)


def test_on_a_terminal_it_asks_and_is_coloured() -> None:
    terminal = Terminal(100, "lesson", "run", "1", "--lang", "ko")
    for word in ("a", "d", "", "", "a", "", "", "d", ""):
        terminal.read_to("): " if word else "]")
        terminal.type(word)
    assert terminal.status() == 0
    told = terminal.shown.decode()
    assert "\x1b[32mALLOW established\x1b[0m" in told
    assert "예상 4개 중 3개가 맞았습니다." in told


def test_whoever_leaves_at_a_terminal_has_done_nothing_wrong() -> None:
    terminal = Terminal(100, "lesson", "run", "1")
    for prompt, word in (("): ", ""), ("): ", "a"), ("leaves]", ""), ("leaves]", "q")):
        terminal.read_to(prompt)
        terminal.type(word)
    assert terminal.status() == 0
    told = terminal.shown.decode()
    assert "Your prediction (a = ALLOW, d = DENY, Enter = reveal, q = leave): " in told
    assert "You left. So far 0 of 1 predictions were right." in told


def test_no_ask_tells_all_on_a_terminal_too() -> None:
    terminal = Terminal(60, "lesson", "run", "1", "--no-ask")
    assert terminal.status() == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.shown.decode()).splitlines()
    assert "Your task" in lines
    tables = [line for line in lines if re.match(r" +\d  \w+:", line)]
    assert tables
    assert max(map(cells, tables)) <= 60


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [20, 60])
def test_addresses_of_pages_are_never_cut(width: int, language: str) -> None:
    for lesson in lessons():
        shown = View(lesson, language, width).closing(1, 1).split()
        assert [source for source in lesson.sources if source.startswith("http") and source not in shown] == []


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_tables_stand_in_columns_at_every_width(width: int, language: str) -> None:
    lesson = load_lesson("1")
    page = View(lesson, language, width).verdicts(all_judged(lesson.scenes[0]))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", page).splitlines()[2:]
    assert max(map(cells, lines)) <= width
    starts = {cells(line[: line.index("nacl")]) for line in lines[:1]}
    starts |= {cells(line[: line.rindex("  ") + 2]) for line in lines[1:] if line.strip()}
    assert len(starts) == 1 or width in (100, 140)  # there a verdict and its reason are one cell
    assert ("established" in page) == (width >= 80)


def test_what_a_lesson_s_folder_is_called_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path)
    odd = tmp_path / "a\x1b[31mb"
    folder.rename(odd)
    for done in (run("lesson", "check", odd), run("lesson", "show", odd), run("lesson", "run", odd)):
        assert (done.status, "\x1b" in done.out + done.err) == (0, False)
