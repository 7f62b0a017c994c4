"""The words of the lab's page, in English and Korean, in one table.

Korean uses the words of AWS's Korean documentation. What rules, errors and warnings say comes from the engine
and stays English; so do verdicts, reasons and TCP states.
https://docs.aws.amazon.com/ko_kr/vpc/latest/userguide/vpc-security-groups.html
"""

from firewall.languages import LANGUAGES, Text

TEXTS = {
    "title": Text("eniwall lab", "eniwall 실습"),
    "skip": Text("Skip to the content", "본문으로 건너뛰기"),
    # --- the bar
    "menu": Text("Lessons and captures", "강의와 캡처"),
    "language": Text("Language", "언어"),
    "link": Text("Copy link", "링크 복사"),
    "link_copied": Text(
        "Copied. The link works while this lab runs.", "복사했습니다. 이 실습이 실행되는 동안 유효한 링크입니다."
    ),
    "link_shown": Text(
        "The address bar has the link. It works while this lab runs.",
        "주소 표시줄의 주소를 복사하십시오. 이 실습이 실행되는 동안 유효한 링크입니다.",
    ),
    # --- the list
    "lessons": Text("Lessons", "강의"),
    "done": Text("done", "완료"),
    "own": Text("Your own capture", "내 캡처"),
    "choose": Text("Choose a capture, or drop one here", "캡처 파일을 선택하거나 여기에 끌어다 놓으십시오"),
    "choose_note": Text(
        "pcap or pcapng, at most {size}. It stays on this machine.",
        "pcap 또는 pcapng, 최대 {size}. 파일은 이 컴퓨터를 벗어나지 않습니다.",
    ),
    "given": Text("The capture of the command line", "명령줄에서 지정한 캡처"),
    # --- what is open
    "lesson_number": Text("Lesson {number}", "{number}강"),
    "story": Text("The story", "상황"),
    "scenes": Text("Scenes", "장면"),
    "task": Text("Task", "과제"),
    "steps": Text("Step by step", "단계별 보기"),
    "side": Text("Beside the steps", "단계 옆에 표시할 내용"),
    "side_states": Text("States and fields", "상태와 필드"),
    "sources": Text("Sources", "출처"),
    "undocumented": Text("What AWS does not document", "AWS 문서에 없는 내용"),
    "takeaway": Text("To take away", "정리"),
    "capture_about": Text(
        "Every packet of the capture, judged by the rules beside it. The rules can be edited.",
        "캡처의 모든 패킷을 옆의 규칙으로 판정합니다. 규칙은 편집할 수 있습니다.",
    ),
    "notes": Text("What was assumed and warned of", "가정과 경고"),
    # --- rules
    "rules": Text("Rules", "규칙"),
    "rules_label": Text("Judged as you type", "입력하는 대로 판정합니다"),
    "rules_file": Text("{file}, judged as you type", "{file}: 입력하는 대로 판정합니다"),
    "rules_others": Text("Read together with {files}.", "{files} 파일과 함께 읽습니다."),
    "judging": Text("Judging ...", "판정하는 중..."),
    "none_changed": Text("No verdict changed.", "바뀐 판정이 없습니다."),
    "one_changed": Text("Verdicts changed at 1 step", "1개 단계의 판정이 바뀌었습니다"),
    "some_changed": Text("Verdicts changed at {count} steps", "{count}개 단계의 판정이 바뀌었습니다"),
    "predict_stopped": Text(
        "Predicting is off now: the questions hold for the first rules.",
        "예측을 껐습니다. 질문은 처음 규칙에 대한 것입니다.",
    ),
    "previous_change": Text("Previous change", "이전 변경"),
    "next_change": Text("Next change", "다음 변경"),
    "one_problem": Text("1 mistake; the steps stay as they were", "오류가 1개 있어 단계에는 이전 판정을 표시합니다"),
    "some_problems": Text(
        "{count} mistakes; the steps stay as they were", "오류가 {count}개 있어 단계에는 이전 판정을 표시합니다"
    ),
    "no_steps": Text(
        "The rules have mistakes, so nothing was judged yet.", "규칙에 오류가 있어 아직 판정하지 않았습니다."
    ),
    "line": Text("line {line}", "{line}행"),
    "restore": Text("Restore the first rules", "처음 규칙으로 되돌리기"),
    # --- the task
    "task_rules": Text("Yours, judged as you type", "내 규칙: 입력하는 대로 판정합니다"),
    "task_note": Text(
        "The steps show this scene's packets under your rules. Grading tries other connections, which are not shown.",
        "단계에는 이 장면의 패킷을 내 규칙으로 판정한 결과가 표시됩니다. 채점에는 공개하지 않은 다른 연결을 씁니다.",
    ),
    "grade": Text("Grade my rules", "내 규칙 채점하기"),
    "grading": Text("Grading ...", "채점하는 중..."),
    "graded": Text("{score} of {total} points", "{total}점 만점에 {score}점"),
    "graded_all": Text(
        "All {total} points: everything fares as wanted. Well done.",
        "{total}점 만점입니다. 모든 트래픽이 요구 사항에 맞습니다. 잘하셨습니다.",
    ),
    "want_allow": Text("should pass", "통과해야 함"),
    "want_deny": Text("should not pass", "통과하면 안 됨"),
    "mark_right": Text("right", "정답"),
    "mark_wrong": Text("wrong", "오답"),
    "fault_denied": Text("Packet {packet} ({text}): {verdict}. {why}", "패킷 {packet}({text}): {verdict}. {why}"),
    "fault_passed": Text("Packet {packet} ({text}) passes. {why}", "패킷 {packet}({text}): 통과합니다. {why}"),
    "fault_rule": Text("Rule: {rule}", "규칙: {rule}"),
    "hint": Text("Hint: {hint}", "힌트: {hint}"),
    # --- what goes wrong
    "opening": Text("Opening ...", "여는 중..."),
    "too_large": Text(
        "This file is larger than {size}, the most that the lab takes.",
        "파일이 {size}보다 큽니다. 더 큰 파일은 열 수 없습니다.",
    ),
    "gone": Text(
        "The lab does not answer. Was it ended? Start eniwall lab again.",
        "실습 서버가 응답하지 않습니다. 종료되었다면 eniwall lab을 다시 실행하십시오.",
    ),
    "close": Text("Close", "닫기"),
}


def texts_object() -> dict[str, dict[str, str]]:
    """Every text by language and key."""
    return {language: {key: getattr(text, language) for key, text in TEXTS.items()} for language in LANGUAGES}
