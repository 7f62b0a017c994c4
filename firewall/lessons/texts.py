"""The words around lessons on the terminal, in English and Korean."""

from collections.abc import Callable

from firewall.languages import Text

TEXTS = {
    # --- a lesson
    "lesson": Text("Lesson {number}: {title}", "{number}강. {title}"),
    "teaches": Text("What it teaches", "배우는 내용"),
    "hosts": Text("Hosts", "호스트"),
    "scenes": Text("Scenes", "장면"),
    "sources": Text("Sources", "출처"),
    "undocumented": Text("What AWS does not document", "AWS 문서에 없는 내용"),
    "folder": Text("Folder: {folder}", "폴더: {folder}"),
    # --- a scene
    "scene": Text("Scene {number} of {total}: {title}", "장면 {number}/{total}: {title}"),
    "rules": Text("Rules ({file})", "규칙({file})"),
    "same_rules": Text("Rules: {file}, as above", "규칙: 위와 같은 {file}"),
    "settings": Text("Settings: {settings}", "설정: {settings}"),
    "more_lines": Text("... {count} more lines in {file}", "... {file}에 {count}줄 더 있음"),
    "packets": Text("Packets", "패킷"),
    "verdicts": Text("Verdicts", "판정"),
    "ends": Text("from > to", "소스 > 대상"),
    "what": Text("what", "종류"),
    "fragment": Text("{protocol}, fragment from byte {at}", "{protocol}, {at}바이트부터의 조각"),
    "at": Text("at", "위치"),
    "ingress": Text("in", "인바운드"),
    "egress": Text("out", "아웃바운드"),
    "pause": Text("({seconds} s later)", "({seconds}초 후)"),
    "change": Text("(the rules change)", "(규칙 변경)"),
    "changed": Text("Before packet {packet} the rules change: {change}", "패킷 {packet} 직전의 규칙 변경: {change}"),
    "readings": Text("Readings: what judges the packets", "판정 방식"),
    "takeaway": Text("What it shows", "정리"),
    # --- questions
    "question": Text("Question {number}", "질문 {number}"),
    "asked": Text("packet {packet}, {reading}", "패킷 {packet}, {reading}"),
    "asked_at": Text("packet {packet}, {reading}, at {at}", "패킷 {packet}, {reading}, {at}"),
    "answer": Text("Answer: {verdict} {reason}", "답: {verdict} {reason}"),
    "your_word": Text(
        "Your prediction ({letters}, Enter = reveal, q = leave)", "예상({letters}, Enter = 정답 보기, q = 나가기)"
    ),
    "not_a_word": Text(
        "Type one of {letters}, q, or Enter alone", "{letters}, q 중 하나를 입력하거나 Enter 키만 누르십시오"
    ),
    "right": Text("Right: {verdict} {reason}.", "맞았습니다. {verdict} {reason}입니다."),
    "wrong": Text("No: it is {verdict} {reason}.", "아닙니다. {verdict} {reason}입니다."),
    "go_on": Text("Enter shows all verdicts, q leaves", "Enter = 모든 판정 보기, q = 나가기"),
    "next_scene": Text("Enter goes on, q leaves", "Enter = 계속하기, q = 나가기"),
    "score": Text("{right} of {total} predictions were right.", "예상 {total}개 중 {right}개가 맞았습니다."),
    "left": Text(
        "You left. So far {right} of {total} predictions were right.",
        "강의를 도중에 종료했습니다. 지금까지 예상 {total}개 중 {right}개가 맞았습니다.",
    ),
    "left_unasked": Text("You left before you predicted anything.", "예상을 입력하지 않고 강의를 종료했습니다."),
    # --- the task
    "task": Text("Your task", "과제"),
    "path": Text("network ACLs and security groups together", "네트워크 ACL과 보안 그룹을 함께 적용"),
    "sg": Text("security groups alone, with their connection table", "보안 그룹만, 연결을 추적하며 적용"),
    "stateless": Text("the rules of the same groups, packet by packet", "같은 보안 그룹의 규칙을 패킷마다 따로 적용"),
    "nacl": Text("network ACLs alone", "네트워크 ACL만 적용"),
    "commands": Text("Begin, and have it graded, with", "다음 명령으로 시작하고 채점합니다"),
    # --- a grade
    "graded": Text("{score} of {total} points", "{total}점 만점에 {score}점"),
    "mark_right": Text("right", "맞음"),
    "mark_wrong": Text("WRONG", "틀림"),
    "allow": Text("must pass", "통과해야 함"),
    "deny": Text("must not pass", "통과하면 안 됨"),
    "denied": Text(
        "packet {packet} of {packets}, {text}, is {verdict} {reason} at {at}",
        "패킷 {packet}/{packets}({text}): {at}에서 {verdict} {reason}",
    ),
    "nowhere": Text(
        "packet {packet} of {packets}, {text}, is {verdict} {reason}",
        "패킷 {packet}/{packets}({text}): {verdict} {reason}",
    ),
    "passes": Text(
        "packet {packet} of {packets}, {text}, passes under {rule}",
        "패킷 {packet}/{packets}({text}): {rule} 규칙으로 통과합니다",
    ),
    "passes_unruled": Text(
        "packet {packet} of {packets}, {text}, passes: no rule or entry stands in its way",
        "패킷 {packet}/{packets}({text}): 막는 규칙이나 항목이 없어 통과합니다",
    ),
    "all_right": Text("All is right.", "모두 맞았습니다."),
}

Words = Callable[..., str]


def words(language: str) -> Words:
    """`said("score", right=3, total=4)` in a language."""

    def said(key: str, **values: object) -> str:
        text: str = getattr(TEXTS[key], language)
        return text.format(**values)

    return said


def told(text: Text, language: str) -> str:
    """A lesson's text in a language."""
    found: str = getattr(text, language)
    return found
