"""The words of the page and of the Markdown summary, in English and Korean, in one table.

Korean uses the words of AWS's Korean documentation (보안 그룹, 탄력적 네트워크 인터페이스, 접두사 목록, 네트워크 ACL).
Names of verdicts, reasons and states are eniwall's and Linux's and are not translated; what rules, lints,
assumptions and warnings say comes from the engine and stays English.
https://docs.aws.amazon.com/ko_kr/vpc/latest/userguide/vpc-security-groups.html
"""

from firewall.languages import REASONS_KO, Text

TEXTS = {
    # --- the head
    "title": Text("Security group report", "보안 그룹 보고서"),
    "skip": Text("Skip to the content", "본문으로 건너뛰기"),
    "contents": Text("Contents", "목차"),
    "span": Text("From {first} to {last} UTC ({length})", "{first} ~ {last} UTC ({length})"),
    "span_seconds": Text("Over {length}; times are in seconds", "총 {length}, 시간은 초 단위"),
    "no_packets": Text("The capture holds no packets.", "캡처에 패킷이 없습니다."),
    "profile": Text("Profile {profile}", "프로파일 {profile}"),
    "not_enforced": Text(
        "A simulation of what was captured: nothing was blocked.",
        "캡처한 패킷으로 시뮬레이션한 결과이며, 실제로 차단한 패킷은 없습니다.",
    ),
    # --- the denominator
    "sums": Text("Every packet is counted", "모든 패킷의 합계"),
    "packets_read": Text("{count} packets read", "읽은 패킷 {count}개"),
    "two_interfaces": Text("{count} judged at two interfaces", "두 인터페이스에서 판정한 패킷 {count}개"),
    "verdict_count": Text("{count} verdicts", "판정 {count}건"),
    "rows": Text("verdicts", "판정 수"),
    "filtered_out": Text(
        "{count} more packets were left out by the filter.", "필터로 제외한 패킷이 {count}개 더 있습니다."
    ),
    "backwards": Text(
        "The clock goes backwards at {count} packets; they are judged in file order.",
        "패킷 {count}개에서 시간이 거꾸로 갑니다. 파일에 있는 순서대로 판정했습니다.",
    ),
    "ALLOW": Text("let through", "허용"),
    "DENY": Text("would have been dropped", "차단 대상"),
    "EXEMPT": Text("never filtered by AWS", "AWS가 필터링하지 않음"),
    "NOT_EVALUATED": Text("could not be judged", "판정할 수 없음"),
    # --- over time
    "over_time": Text("Verdicts over time", "시간별 판정"),
    "per_bin": Text(
        "Verdicts per {width}, each row to its own scale.", "{width} 단위 판정 수. 세로축은 행마다 다릅니다."
    ),
    "chart_label": Text(
        "{verdict}: {total} verdicts, at most {most} in {width}, at {time}",
        "{verdict}: 판정 {total}건, {width}당 최대 {most}건({time})",
    ),
    "most": Text("at most {most}", "최대 {most}"),
    "bin_table": Text("The same as a table ({count} rows)", "표로 보기({count}행)"),
    "bin_start": Text("from", "시작"),
    "empty_bins": Text("Times without packets are left out.", "패킷이 없는 구간은 생략했습니다."),
    # --- denied
    "denied": Text("What was denied", "차단된 트래픽"),
    "denied_none": Text("Nothing was denied.", "차단된 패킷이 없습니다."),
    "by_service": Text("By service", "서비스별"),
    "by_address": Text("By remote address", "원격 주소별"),
    "address_note": Text(
        "Sources of ingress, destinations of egress.", "ingress는 소스 주소, egress는 대상 주소입니다."
    ),
    "others": Text("and {others} others with {packets} packets", "외 {others}개, 패킷 {packets}개"),
    "ungrouped": Text(
        "{count} denied packets more belong to attempts beyond those that are kept apart.",
        "구분해서 집계하는 한도를 넘은 차단 패킷이 {count}개 더 있습니다.",
    ),
    "service": Text("service", "서비스"),
    "services": Text("services", "서비스 수"),
    "most_service": Text("most of them", "가장 많은 서비스"),
    "reason": Text("reason", "사유"),
    "addresses": Text("addresses", "주소 수"),
    "busiest": Text("most from or to", "가장 많은 주소"),
    "example": Text("example", "예시 패킷"),
    "nearest": Text("nearest rule", "가장 가까운 규칙"),
    "address": Text("address", "주소"),
    # --- interfaces
    "interfaces": Text("Interfaces", "탄력적 네트워크 인터페이스(ENI)"),
    "interface": Text("interface", "인터페이스"),
    "no_interface": Text("(no interface)", "(해당 인터페이스 없음)"),
    "groups": Text("security groups", "보안 그룹"),
    "ip_addresses": Text("addresses", "IP 주소"),
    "direction": Text("direction", "방향"),
    # --- rules
    "rules": Text("Rules", "규칙"),
    "rules_note": Text(
        "New: packets that the rule admitted by itself. Packets: these and the connections that they opened.",
        "신규: 규칙이 직접 허용한 패킷. 패킷: 신규 패킷과 그 패킷이 연 연결의 패킷을 합한 수.",
    ),
    "rule": Text("rule", "규칙"),
    "allows": Text("allows", "허용 내용"),
    "new": Text("new", "신규"),
    "packets": Text("packets", "패킷"),
    "bytes": Text("bytes", "바이트"),
    "connections_count": Text("connections", "연결"),
    "first_used": Text("first used", "처음 사용"),
    "last_used": Text("last used", "마지막 사용"),
    "first_packet": Text("first packet", "첫 패킷"),
    "last_packet": Text("last packet", "마지막 패킷"),
    "remark": Text("remark", "비고"),
    "never_used": Text("never used", "사용된 적 없음"),
    "covered_by": Text("covered by {rule}", "{rule} 규칙에 포함됨"),
    "rules_summary": Text(
        "Rules in all: {total}. Never used in this capture: {unused}. Covered by another rule: {covered}.",
        "전체 규칙 {total}개, 이 캡처에서 사용된 적 없는 규칙 {unused}개, 다른 규칙에 포함된 규칙 {covered}개.",
    ),
    "rules_cut": Text(
        "The {shown} rules with most packets of {total} are shown.",
        "규칙 {total}개 중 패킷이 많은 {shown}개를 표시합니다.",
    ),
    "unused_note": Text(
        "Another hour may need a rule that this capture did not.",
        "이 캡처에서 사용되지 않은 규칙도 다른 시간대에는 필요할 수 있습니다.",
    ),
    "open_widest": Text("Inbound rules that are open widest", "가장 넓게 열린 인바운드 규칙"),
    "ports": Text("ports", "포트 수"),
    "acl_entries": Text("Network ACL entries that decided", "판정에 쓰인 네트워크 ACL 항목"),
    "entry": Text("entry", "항목"),
    "says": Text("says", "내용"),
    "let_through": Text("let through", "허용"),
    "denied_count": Text("denied", "차단"),
    "changes": Text("Changes of the rules", "규칙 변경"),
    "before": Text("before packet", "변경 시점(패킷 직전)"),
    "time": Text("time", "시간"),
    "change": Text("change", "변경 내용"),
    "findings": Text("What lints find in the rules", "규칙 점검 결과"),
    "lint": Text("lint", "점검 항목"),
    "subject": Text("subject", "대상"),
    "finding": Text("finding", "내용"),
    "fix": Text("what to do", "조치"),
    # --- connections
    "connections": Text("Connections", "연결"),
    "no_connections": Text("No connection was opened.", "열린 연결이 없습니다."),
    "search": Text("Search", "검색"),
    "search_hint": Text("address, port, rule, state ...", "주소, 포트, 규칙, 상태 등"),
    "all": Text("all", "전체"),
    "state": Text("state", "상태"),
    "page_size": Text("rows a page", "페이지당 행 수"),
    "shown": Text("{first} to {last} of {found}", "{found}개 중 {first}~{last}"),
    "shown_none": Text("no connection fits", "조건에 맞는 연결이 없습니다"),
    "found_of": Text("{found} of {total} connections", "연결 {total}개 중 {found}개"),
    "first_page": Text("First", "처음"),
    "previous": Text("Previous", "이전"),
    "next": Text("Next", "다음"),
    "last_page": Text("Last", "마지막"),
    "pages": Text("Pages", "페이지"),
    "clear": Text("Clear", "초기화"),
    "flow": Text("flow", "플로우"),
    "originator": Text("originator", "연결 시작 측"),
    "responder": Text("responder", "응답 측"),
    "protocol": Text("protocol", "프로토콜"),
    "opened": Text("opened", "시작 시간"),
    "packet": Text("packet", "패킷 번호"),
    "duration": Text("duration", "지속 시간"),
    "sent": Text("sent", "송신"),
    "sent_bytes": Text("bytes sent", "송신 바이트"),
    "received": Text("received", "수신"),
    "received_bytes": Text("bytes received", "수신 바이트"),
    "history": Text("history", "이력"),
    "history_note": Text(
        "History: Zeek's letters, upper case from the originator. S SYN, H SYN-ACK, A ACK alone, D data, F FIN, R RST.",
        "이력: Zeek의 문자 표기. 대문자는 연결 시작 측, 소문자는 응답 측."
        " S SYN, H SYN-ACK, A ACK만, D 데이터, F FIN, R RST.",
    ),
    "print_note": Text(
        "Printed are the rows that the page showed; -o FILE.csv writes every connection.",
        "인쇄물에는 화면에 표시된 행만 있습니다. 전체 연결은 -o FILE.csv로 저장하십시오.",
    ),
    "no_script": Text(
        "The {count} connections with most packets; searching and sorting need JavaScript.",
        "패킷이 많은 연결 {count}개입니다. 검색과 정렬에는 JavaScript가 필요합니다.",
    ),
    "sort_hint": Text("sort by {column}", "{column} 기준 정렬"),
    # --- what it rests on
    "reasons": Text("Reasons", "판정 사유"),
    "verdict": Text("verdict", "판정"),
    "meaning": Text("meaning", "의미"),
    "assumptions": Text("Assumptions", "가정"),
    "no_assumptions": Text("None decided a packet here.", "판정에 영향을 준 가정이 없습니다."),
    "settings": Text("Settings that differ from the profile: {settings}", "프로파일과 다른 설정: {settings}"),
    "warnings": Text("Warnings", "경고"),
    "inputs": Text("Inputs", "입력 파일"),
    "kind": Text("kind", "종류"),
    "kind_capture": Text("capture", "캡처"),
    "kind_rules": Text("rules", "규칙"),
    "kind_events": Text("events", "이벤트"),
    "file": Text("file", "파일"),
    "size": Text("bytes", "바이트"),
    "command": Text("Command", "명령"),
    "made_by": Text("Made by eniwall {version}.", "eniwall {version}에서 생성."),
}


class Words:
    """The texts of one language."""

    def __init__(self, language: str = "en") -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """A text with its values, numbers with commas."""
        text: str = getattr(TEXTS[key], self.language)
        return text.format(**{name: worded(value) for name, value in values.items()}) if values else text

    def reason(self, word: str, english: str) -> str:
        """What a reason means."""
        return REASONS_KO[word] if self.language == "ko" else english


def worded(value: object) -> str:
    """A number with commas; anything else as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value)
