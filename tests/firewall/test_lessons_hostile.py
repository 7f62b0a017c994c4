"""Hostile lesson files: bombs, endless waits, too many packets, what is no file; each is refused in a line."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import LessonFileError
from firewall.lessons import packets, read
from firewall.lessons.read import read_lesson
from pcaps.errors import CraftError
from tests.firewall.lesson_folders import LINE, PACKET, lesson_folder, problems, with_packets


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lesson.yaml: the file is empty: write title: {en: TEXT, ko: TEXT} and the other keys (docs/lessons.md)"),
        ("- 1\n", "lesson.yaml:1:1 - expected a mapping, found a list: write title: {en: TEXT, ko: TEXT}"),
        ("a: &a [*a]\n", "lesson.yaml:1:8 a[0] - *a has no complete &a before it"),
        (
            "!!python/object/apply:os.system ['true']\n",
            "lesson.yaml:1:1 - the tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        ("[" * 100, "lesson.yaml:1:65"),
        ("title: \x1b[31m\n", r"lesson.yaml:1:8 - the character '\x1b' cannot stand in YAML or JSON: delete it"),
    ],
    ids=["empty", "a list", "an alias of itself", "a tag", "too deep", "a control character"],
)
def test_a_hostile_file_is_refused_in_a_line(text: str, told: str, tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path)
    (folder / "lesson.yaml").write_text(text, encoding="utf-8")
    assert problems(folder)[0].startswith(told)


def test_too_much_is_refused(tmp_path: Path) -> None:
    many = ">A " * 1300
    folder = with_packets(tmp_path, *[f'{{tcp: "customer:{port} > web:80", send: "{many}"}}' for port in range(1, 9)])
    assert problems(folder) == ["lesson.yaml:32:7 scenes[0].packets - 10,400 packets: a scene has at most 10,000"]


def test_a_scene_waits_a_year_at_most(tmp_path: Path) -> None:
    year = with_packets(tmp_path / "a-year", "{wait: 31622400}", PACKET)
    assert problems(year) == []
    longer = with_packets(tmp_path / "longer", "{wait: 31622400}", PACKET, "{wait: 0.000000001}", "{wait: 1}", PACKET)
    told = "the waits up to here are more than 31,622,400 seconds: wait less"
    assert problems(longer) == [f"lesson.yaml:34:9 scenes[0].packets[2] - {told}"]


def test_packets_in_scapy_s_words_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "MOST_PACKETS", 10)
    crafted = """{scapy: 'IP(src="198.51.100.7", dst="10.0.1.10")/TCP(dport=(1, 5))'}"""
    (enough,) = read_lesson(with_packets(tmp_path / "enough", crafted, crafted)).scenes
    assert len(packets.laid_out(enough.lines).frames) == 10
    folder = with_packets(tmp_path / "more", crafted, crafted, PACKET)
    (more,) = read_lesson(folder).scenes
    with pytest.raises(CraftError) as caught:
        packets.laid_out(more.lines)
    told = "more than 10 packets up to here: a scene has no more"
    assert str(caught.value) == f"{folder}/lesson.yaml:34:9 scenes[0].packets[2] - {told}"


def test_scenes_and_hidden_connections_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lesson_folder(tmp_path)
    monkeypatch.setattr(read, "MOST_CONNECTIONS", 1)
    assert problems(folder) == ["hidden.yaml:5:3 connections - 3 connections: write at most 1"]
    monkeypatch.setattr(read, "MOST_SCENES", 0)
    assert problems(folder)[0] == "lesson.yaml:26:3 scenes - 1 scenes: write at most 0"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = lesson_folder(tmp_path)
    (folder / "lesson.yaml").unlink()
    os.mkfifo(folder / "lesson.yaml")
    told = "lesson.yaml: not a regular file: write the lesson into one"
    assert problems(folder) == [told]
    (folder / "lesson.yaml").unlink()
    (folder / "lesson.yaml").symlink_to("/dev/zero")
    assert problems(folder) == [told]


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(LessonFileError, match=r"lesson.yaml: no such file; check the path"):
        read_lesson(tmp_path)


WORDS = st.text(st.sampled_from("{}[]<>:-&*!|>\"' \n\tabctcpsendwait0129:./"), max_size=60)


@given(WORDS)
def test_any_words_in_a_line_are_read_or_told(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    folder = lesson_folder(tmp_path_factory.mktemp("any"), (LINE, f"- {words}"))
    for problem in problems(folder):
        assert problem.startswith("lesson.yaml:")


@given(st.text(max_size=40))
def test_any_ends_and_any_packets_are_read_or_told(tmp_path_factory: pytest.TempPathFactory, words: str) -> None:
    quoted = words.translate({ord(sign): None for sign in '"\\\n\r\x85\u2028\u2029'})
    folder = lesson_folder(tmp_path_factory.mktemp("ends"), ("customer:40000 > web:80", quoted))
    for problem in problems(folder):
        assert problem.startswith("lesson.yaml:")
