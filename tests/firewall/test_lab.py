"""The lab's sessions: scenes and captures opened, rules judged again, what is kept and what goes."""

import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from firewall.lab import app, bounds, workspace
from firewall.lab.begin import begun
from firewall.lab.texts import TEXTS
from firewall.lessons.catalog import COURSES
from firewall.steps.steps import MOST_PACKETS
from pcaps.samples import sample
from tests.firewall.lab import ROOT, asking, opened, uploaded

WEB = sample("web-http").read_bytes()
GONE = {"error": "this capture is not open any more: open it again"}


# --- lessons -------------------------------------------------------------------------------------------
def test_every_lesson_is_listed_in_both_languages(client: TestClient) -> None:
    found = client.get("api/lessons").json()["lessons"]
    assert {each["name"] for each in found} == {path.parent.name for path in COURSES.glob("*/lesson.yaml")}
    assert [each["number"] for each in found] == sorted(each["number"] for each in found)
    assert all(set(each["title"]) == {"en", "ko"} for each in found)


def test_a_lesson_has_its_texts_and_no_answer(client: TestClient) -> None:
    lesson = client.get("api/lessons/return-traffic").json()
    assert lesson["title"] == {"en": "Return traffic", "ko": "반환 트래픽"}
    assert lesson["scenes"][0]["name"] == "no-outbound-rule"
    question = lesson["scenes"][0]["questions"][0]
    assert (question["packet"], question["reading"]) == (2, "sg")
    assert "verdicts" not in str(lesson)
    assert lesson["task"]["reading"] == "nacl"


def test_a_handshake_goes_through_its_states(client: TestClient) -> None:
    found = opened(client)
    assert (found["scene"]["packets"], found["changed"], len(found["rows"])) == (5, [], 5)
    states = [client.get(f"api/{found['id']}/steps/{n}").json()["table"][0]["state"] for n in (1, 2, 3)]
    assert states == ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]
    verdicts = [row["verdicts"][0][0] for row in found["rows"]]
    assert verdicts == ["ALLOW"] * 5
    by_the_acl = [row["verdicts"][2][0] for row in found["rows"]]
    assert by_the_acl == ["ALLOW", "DENY", "ALLOW", "ALLOW", "DENY"]


def test_rows_come_by_their_numbers(client: TestClient) -> None:
    name = opened(client)["id"]
    rows = client.get(f"api/{name}/rows", params={"start": 4, "count": 9}).json()
    assert [row["n"] for row in rows] == [4, 5]
    answer = client.get(f"api/{name}/rows", params={"start": "-1"})
    assert (answer.status_code, answer.json()) == (400, {"error": "start is a number from 0"})


def test_a_step_that_there_is_not(client: TestClient) -> None:
    answer = client.get(f"api/{opened(client)['id']}/steps/6")
    assert (answer.status_code, answer.json()) == (422, {"error": "step 6: there are 5 steps"})


@pytest.mark.parametrize("step", ["9" * 5000, "1234567890", "-1", "1.0", "%C2%B2", "one"])
def test_a_step_that_is_no_number(client: TestClient, step: str) -> None:
    answer = client.get(f"api/{opened(client)['id']}/steps/{step}")
    assert (answer.status_code, answer.json()) == (400, {"error": "a step is a number from 0"})


# --- rules ---------------------------------------------------------------------------------------------
def test_changed_rules_change_verdicts_and_the_first_rules_bring_them_back(client: TestClient) -> None:
    found = opened(client)
    stricter = found["rules"].replace(
        "{type: SSH, source: 198.51.100.0/24, description: office}", "{type: HTTP, source: 0.0.0.0/0}"
    )
    assert stricter != found["rules"]
    judged = client.post(f"api/{found['id']}/rules", content=stricter.encode()).json()
    assert judged["changed"] == [1, 2, 3, 4, 5]
    assert [row["verdicts"][0][0] for row in judged["rows"]] == ["DENY"] * 5
    again = client.post(f"api/{found['id']}/rules", content=found["rules"].encode()).json()
    assert (again["changed"], again["rows"]) == ([], found["rows"])


def test_mistakes_stand_at_their_lines_and_the_steps_stay(client: TestClient) -> None:
    found = opened(client)
    text = (
        "security_groups:\n  web:\n    ingress:\n"
        "      - {protocol: tcp, ports: 22-10, source: 0.0.0.0/0}\n      - {protocol: tpc}\n"
    )
    judged = client.post(f"api/{found['id']}/rules", content=text.encode()).json()
    assert set(judged) == {"errors"}
    assert [(each["line"], each["column"]) for each in judged["errors"]] == [(4, 32), (5, 9), (5, 20)]
    assert judged["errors"][2]["text"] == (
        "security_groups.web.ingress[1].protocol - unknown protocol 'tpc':"
        " did you mean tcp? (or a number from 0 to 255)"
    )
    assert client.get(f"api/{found['id']}/steps/1").status_code == 200


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", None, "the file is empty: write security_groups: and the groups below it"),
        ("a: [", 2, ""),
        ("\x00", 1, "cannot stand in YAML or JSON"),
        ("[1, 2]", 1, "a rule file is a mapping"),
        ("x: &a [*a]", 1, ""),
        ("- " * 100, 1, ""),
        ("security_groups: {web: {ingress: []}}", None, "states no interface"),
    ],
)
def test_no_rules_break_the_lab(client: TestClient, folder: Path, text: str, line: int | None, told: str) -> None:
    found = opened(client)
    answer = client.post(f"api/{found['id']}/rules", content=text.encode())
    assert answer.status_code == 200
    (first, *_) = answer.json()["errors"]
    assert first["line"] == line
    assert told in first["text"]
    assert str(folder) not in answer.text


def test_rules_of_a_lesson_without_an_address_are_told_what_to_write(client: TestClient) -> None:
    found = opened(client)
    bare = b"""Resources:
  Web: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: web}}
  Eni: {Type: AWS::EC2::NetworkInterface, Properties: {SubnetId: subnet-1, GroupSet: [!Ref Web]}}
"""
    answer = client.post(f"api/{found['id']}/rules", content=bare)
    (problem,) = answer.json()["errors"]
    assert problem["text"] == (
        "no interface is known: write interfaces: {my-interface: {addresses: [ADDRESS], security_groups: [GROUP]}};"
        " busiest of the first 5 packets: 10.0.1.10 (5, server), 198.51.100.7 (5, client)"
    )


def test_a_teacher_s_own_lesson_is_listed_and_its_changes_fit_the_rules_or_say_why(
    folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "my-lesson"
    shutil.copytree(COURSES / "return-traffic", own)
    text = (own / "lesson.yaml").read_text(encoding="utf-8")
    change = '    packets:\n      - {change: {revoke: ["web:ingress[0]"]}}\n'
    (own / "lesson.yaml").write_text(text.replace("    packets:\n", change, 1), encoding="utf-8")
    with asking(folder, begun(None, None, str(own), "en")) as client:
        assert client.get("api/begin").json()["lesson"] == "my-lesson"
        found = opened(client, "my-lesson")
        renamed = found["rules"].replace("web:", "shop:").replace("[web]", "[shop]")
        answer = client.post(f"api/{found['id']}/rules", content=renamed.encode())
    (problem,) = answer.json()["errors"]
    assert (problem["line"], problem["text"].startswith("my-lesson/lesson.yaml:")) == (None, True)
    assert problem["text"].endswith("no rule 'web:ingress[0]' at this point: did you mean shop:ingress[0]?")


def test_rules_that_are_no_text_are_told(client: TestClient) -> None:
    answer = client.post(f"api/{opened(client)['id']}/rules", content=b"\xff\xfe")
    assert (answer.status_code, answer.json()) == (400, {"error": "the rules are not UTF-8 text"})


def test_no_message_names_the_temporary_file(client: TestClient, folder: Path) -> None:
    found = uploaded(client, WEB)
    odd = found["rules"] + "    # odd\n"
    text = odd.replace("  my-group:", "  spare: {ingress: []}\n  my-group:")
    answer = client.post(f"api/{found['id']}/rules", content=text.encode())
    assert answer.json()["scene"]["notes"]
    assert str(folder) not in answer.text


# --- the task ------------------------------------------------------------------------------------------
def test_the_task_begins_with_its_own_rules_and_is_graded(client: TestClient) -> None:
    found = opened(client, task=True)
    folder = COURSES / "return-traffic"
    solution = (folder / "with-answers.yaml").read_bytes()
    first = client.post(f"api/{found['id']}/grade", content=found["rules"].encode()).json()
    assert (first["passed"], first["score"] < first["total"]) == (False, True)
    last = client.post(f"api/{found['id']}/grade", content=solution).json()
    assert (last["passed"], last["score"]) == (True, last["total"])
    wrong = client.post(f"api/{found['id']}/grade", content=b"security_groups: 5").json()
    assert wrong["errors"][0]["line"] == 1


def test_a_capture_has_no_task(client: TestClient) -> None:
    found = uploaded(client, WEB)
    answer = client.post(f"api/{found['id']}/grade", content=found["rules"].encode())
    assert (answer.status_code, answer.json()) == (422, {"error": "only lessons have tasks"})


# --- sessions ------------------------------------------------------------------------------------------
def test_two_sessions_keep_their_own_rules(client: TestClient) -> None:
    one, other = opened(client), opened(client)
    assert one["id"] != other["id"]
    client.post(f"api/{one['id']}/rules", content=one["rules"].replace("SSH", "HTTP").encode())
    verdicts = [
        [row["verdicts"][0][0] for row in client.get(f"api/{each['id']}/rows?start=1&count=1").json()]
        for each in (one, other)
    ]
    assert verdicts == [["DENY"], ["ALLOW"]]


def test_a_page_that_is_loaded_again_finds_its_session(client: TestClient) -> None:
    found = uploaded(client, WEB)
    text = found["rules"].replace("ingress: []", "ingress: [{type: HTTP, source: 0.0.0.0/0}]")
    judged = client.post(f"api/{found['id']}/rules", content=text.encode()).json()
    again = client.get(f"api/{found['id']}").json()
    assert (again["rules"], again["rows"], again["changed"]) == (text, judged["rows"], judged["changed"])
    assert (again["first"], bool(judged["changed"])) == (found["rules"], True)
    client.post(f"api/{found['id']}/rules", content=b"a: [")
    broken = client.get(f"api/{found['id']}").json()
    assert (broken["rules"], len(broken["errors"])) == ("a: [", 1)
    assert broken["rows"] == judged["rows"]  # of the last rules that could be used


def test_the_session_that_was_not_used_for_longest_goes_first(folder: Path) -> None:
    with asking(folder, most=2) as client:
        first, second = opened(client)["id"], opened(client)["id"]
        client.get(f"api/{first}/steps/1")
        third = opened(client)["id"]
        answer = client.get(f"api/{second}/steps/1")
        assert (answer.status_code, answer.json()) == (404, GONE)
        assert client.get(f"api/{first}/steps/1").status_code == 200
    assert sorted(path.name for path in folder.iterdir()) == sorted([first, third])


def test_large_captures_leave_room_for_fewer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "MAX_STEPS", 100)
    with asking(folder) as client:
        small, first, second = opened(client)["id"], uploaded(client, WEB)["id"], uploaded(client, WEB)["id"]
    assert small != first
    assert [path.name for path in folder.iterdir()] == [second]  # 5 + 56 + 56 steps were too many, 56 + 56 too


def test_other_interfaces_change_the_steps_that_they_make_and_no_others(client: TestClient) -> None:
    found = uploaded(client, WEB)
    twice = found["rules"] + "  client: {addresses: [198.51.100.7], security_groups: [my-group]}\n"
    judged = client.post(f"api/{found['id']}/rules", content=twice.encode()).json()
    before = {(row["packet"], row["direction"]): [each[0] for each in row["verdicts"]] for row in found["rows"]}
    after = {(row["packet"], row["direction"]): [each[0] for each in row["verdicts"]] for row in judged["rows"]}
    assert len(after) > len(before)
    differ = [place for place, row in enumerate(after.items(), 1) if before.get(row[0]) != row[1]]
    assert judged["changed"] == differ
    assert 0 < len(differ) < len(after)


def test_a_full_disk_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app, "_save", full)
    answer = client.post("api/upload?name=a.pcap", content=WEB)
    assert (answer.status_code, answer.json()) == (
        507,
        {"error": "the lab's temporary folder: No space left on device"},
    )


def test_the_document_has_the_bounds_that_the_lab_keeps() -> None:
    text = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in text.splitlines() if line[:2] == "| "}
    assert rows["its packets"] == f"{MOST_PACKETS:,}"
    assert rows["the rules in the editor"] == bounds.size_text(bounds.MAX_RULES)
    assert rows["captures and scenes open at once, in all windows"] == (
        f"{bounds.MAX_SESSIONS}, and {bounds.MAX_STEPS:,} steps"
    )
    assert rows["an uploaded capture: pcap, pcapng, plain or gzip, zstd, lz4"] == bounds.size_text(bounds.MAX_UPLOAD)


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_every_text_is_there_in_both_languages_with_the_same_values(key: str) -> None:
    text = TEXTS[key]
    assert text.en.strip()
    assert text.ko.strip()
    assert set(re.findall(r"{\w+}", text.en)) == set(re.findall(r"{\w+}", text.ko))


def test_every_text_of_the_page_is_used_and_there() -> None:
    page = ROOT / "firewall" / "lab" / "page"
    written = "".join(path.read_text(encoding="utf-8") for path in page.iterdir())
    asked = set(re.findall(r'\bt\("(\w+)"\)|data-(?:t|label)="(\w+)"', written))
    used = {name for pair in asked for name in pair if name}
    assert len(used) > 20
    assert used - set(TEXTS) == set()
    assert [key for key in TEXTS if f'"{key}"' not in written and not key.startswith("want_")] == []
