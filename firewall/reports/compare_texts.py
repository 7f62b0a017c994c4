"""The words of a comparison, in English and Korean, in one table; see firewall.reports.texts.

Verdicts, reasons, names of readings and TCP states are not translated. Korean has the words of AWS's Korean
documentation: 보안 그룹, 네트워크 ACL, 인바운드, 아웃바운드, 임시 포트, 상태 저장, 상태 비저장.
https://docs.aws.amazon.com/ko_kr/vpc/latest/userguide/vpc-network-acls.html
"""

from firewall.group_acls import OF_GROUPS
from firewall.labels import counted
from firewall.languages import Text
from firewall.reports.texts import TEXTS, Words

COMPARE_TEXTS = {
    "title": Text("Security groups and stateless filters compared", "보안 그룹과 상태 비저장 필터 비교"),
    # --- the answer
    "differs": Text(
        "{packets}; the verdict differs for {differs}",
        "패킷 {packets} 중 판정이 서로 다른 패킷 {differs}",
    ),
    "alone": Text(
        "{first} allows, {second} does not: {rows}", "{first}에서 허용하고 {second}에서 허용하지 않음: 행 {rows}"
    ),
    "by_reading": Text("Rows by reading", "방식별 판정 수"),
    "reading": Text("reading", "방식"),
    "sg": Text("security groups, with the connection table", "보안 그룹: 연결을 추적함(상태 저장)"),
    "stateless": Text("the same rules without the table", "같은 규칙을 연결 추적 없이 적용함(상태 비저장)"),
    "nacl": Text(
        "network ACLs: numbered entries at the subnet's border", "네트워크 ACL: 서브넷 경계의 번호가 붙은 규칙"
    ),
    "first": Text("Where two readings first differ", "두 방식의 판정이 처음으로 달라지는 패킷"),
    "nothing_differs": Text("No verdict differs.", "판정이 다른 패킷이 없습니다."),
    # --- rows
    "side_by_side": Text("Rows side by side", "판정 나란히 보기"),
    "rows_cut": Text(
        "The first {shown} of {rows} rows that differ.", "판정이 다른 행 {rows}개 중 처음 {shown}개입니다."
    ),
    "rows_all": Text("All rows that differ: {rows}.", "판정이 다른 행 전체: {rows}개"),
    "row_count": Text("rows", "행 수"),
    "flow_text": Text("source -> destination", "소스 -> 대상"),
    # --- sentences
    "packet_is": Text("Packet {packet} ({flow}, {direction} at {eni})", "패킷 {packet}({flow}, {eni}의 {direction})"),
    "first_sentence": Text("{head}: {first}; {second}.", "{head}: {first}. {second}."),
    "says": Text("{reading} says {verdict}, because {why}", "{reading}의 판정은 {verdict}입니다({why})"),
    "because_rule": Text("{rule} allows it", "{rule}에서 허용"),
    "because_inside": Text(
        "no network ACL is asked: it stays inside the subnet", "서브넷 안의 트래픽이므로 네트워크 ACL을 거치지 않음"
    ),
    "because_established": Text(
        "the table holds its connection, which packet {packet} opened under {rule}",
        "패킷 {packet}에서 {rule} 규칙으로 연 연결을 추적하고 있음",
    ),
    "because_no_rule": Text("no {direction} rule allows {asked}", "{asked} 트래픽을 허용하는 {direction} 규칙이 없음"),
    "because_no_entry": Text(
        "no {direction} entry allows {asked}, so that {rule} denies it",
        "{asked} 트래픽을 허용하는 {direction} 항목이 없어 {rule}에서 거부",
    ),
    "because_entry": Text("{rule} denies it", "{rule}에서 거부"),
    "because_reason": Text("of {reason}: {meaning}", "사유 {reason}: {meaning}"),
    "asked": Text("{protocol} {peer}", "{peer} {protocol}"),
    "asked_port": Text("{protocol} {peer}, destination port {port}", "{peer} {protocol}, 대상 포트 {port}"),
    "ingress": Text("ingress", "인바운드"),
    "egress": Text("egress", "아웃바운드"),
    "from": Text("from {address}", "소스가 {address}인"),
    "to": Text("to {address}", "대상이 {address}인"),
    # --- what would make them equal
    "reverse": Text("Rules that the stateless reading would need", "상태 비저장 방식에 추가로 필요한 규칙"),
    "reverse_none": Text(
        "The stateless reading needs no further rule for these packets",
        "이 패킷들을 처리하는 데 상태 비저장 방식에 추가로 필요한 규칙은 없습니다.",
    ),
    "reverse_note": Text(
        "a rule file to add with --rules; the ports are each peer's lowest and highest seen here",
        "--rules로 추가할 규칙 파일입니다. 포트는 이 캡처에서 본 상대별 최솟값과 최댓값입니다.",
    ),
    "by_hand": Text(
        "first, at {place}, give {eni} the new group too: security_groups: [{groups}]",
        "먼저 {place}에서 {eni}에 새 그룹도 지정하십시오. security_groups: [{groups}]",
    ),
    "acl_file": Text(
        "Network ACL entries that admit what the security groups admit",
        "보안 그룹이 허용하는 트래픽을 허용하는 네트워크 ACL 항목",
    ),
    "acl_none": Text(
        "The network ACLs of the files need no further entry for these packets",
        "파일에 있는 네트워크 ACL에 이 패킷들을 위해 추가할 항목은 없습니다.",
    ),
    "acl_add": Text("a rule file to add with --rules", "--rules로 추가할 규칙 파일입니다."),
    "acl_replace": Text(
        "put these in place of those of your files: {names}", "규칙 파일의 다음 항목을 이것으로 바꾸십시오: {names}"
    ),
    "of_groups": Text(
        OF_GROUPS,
        "{acl}: {members}의 네트워크 ACL이 파일에 없어, 보안 그룹 규칙을 번호가 붙은 허용 항목으로 옮기고 그 뒤에 *를"
        " 두었습니다.",
    ),
    "made_subnet": Text(
        "{subnet}: no file says the subnet; {blocks} is taken, the smallest that AWS would make; write your own",
        "{subnet}: 파일에 서브넷이 없어 AWS에서 만들 수 있는 가장 작은 서브넷({blocks})으로 가정했습니다. 실제"
        " 블록으로 바꾸십시오.",
    ),
    "without_block": Text(
        "{subnet}: no {family} block that AWS makes holds {addresses} without reserving an interface's address or"
        " overlapping a subnet of the files; none is taken, and the network ACL is asked about every {family} peer",
        "{subnet}: AWS에서 만들 수 있는 {family} 블록 중에는, {addresses} 주소를 포함하면서 인터페이스의 주소가 예약"
        " 주소에 들지 않고 파일의 서브넷과 겹치지 않는 것이 없습니다. {family} 블록을 두지 않았으므로 모든 {family}"
        " 상대와의 트래픽에 네트워크 ACL을 적용합니다.",
    ),
    "placed_by_hand": Text(
        'without effect until a rule file gives the interface {eni} the key subnet: "{subnet}"',
        '규칙 파일에서 인터페이스 {eni}에 subnet: "{subnet}" 키를 추가해야 적용됩니다.',
    ),
    "not_expanded": Text(
        "{rule} names a group or list whose addresses are not all known; the entries hold those that are",
        "{rule}에서 참조하는 보안 그룹 또는 접두사 목록의 주소를 모두 알 수 없어, 알려진 주소만 항목에 넣었습니다.",
    ),
    "catch_all": Text(
        "each range is the first that AWS names for a kind of client and that holds the ports seen; the client may be"
        " of another kind, and {low}-{high} serves every kind",
        "각 범위는 AWS 문서의 클라이언트별 임시 포트 범위 가운데 캡처에서 본 포트를 모두 포함하는 첫 번째 것이며,"
        " 실제 클라이언트 종류와 다를 수 있습니다."
        " 모든 클라이언트에 쓸 수 있는 범위는 {low}-{high}입니다.",
    ),
    "widened": Text(
        "{acl} {direction}: peers widened to /{v4} (IPv6: /{v6}) to stay within {most} entries",
        "{acl} {direction}: 항목 수를 {most}개 이내로 줄이려고 상대 주소를 /{v4}(IPv6는 /{v6})로 넓혔습니다.",
    ),
    "one_range": Text(
        "{acl} {direction}: one range of ports for every kind of client, to stay within {most} entries",
        "{acl} {direction}: 항목 수를 {most}개 이내로 줄이려고 모든 클라이언트에 하나의 포트 범위를 썼습니다.",
    ),
    "if_widened": Text(
        "{acl} {direction}: the groups' own entries are not widened, as they would then admit what the groups do not;"
        " with their peers at /{v4} (IPv6: /{v6}) the list would stay within {most} entries",
        "{acl} {direction}: 보안 그룹 규칙에서 옮긴 항목은 넓히지 않았습니다. 넓히면 보안 그룹이 허용하지 않는"
        " 트래픽까지 허용하게 됩니다. 상대 주소를 /{v4}(IPv6는 /{v6})로 넓히면 항목 수가 {most}개 이내가 됩니다.",
    ),
    "over": Text(
        "{acl} {direction}: {entries} entries; AWS's quota is {default}, and {most} at most on request",
        "{acl} {direction}: 항목이 {entries}개입니다. AWS 기본 할당량은 {default}개이며, 최대 {most}개까지 늘릴 수"
        " 있습니다.",
    ),
    "over_most": Text(
        "{acl} {direction}: {entries} entries; AWS makes no network ACL with more than {most}: name wider blocks",
        "{acl} {direction}: 항목이 {entries}개입니다. AWS의 최대 할당량 {most}개를 넘으므로 더 넓은 블록을 쓰십시오.",
    ),
    "ephemeral": Text("The ports that clients choose from, as AWS gives them", "클라이언트별 임시 포트(AWS 문서 기준)"),
    "client": Text("client", "클라이언트"),
    "port_range": Text("ports", "포트"),
    # --- the proof
    "proof": Text("Proof", "검증"),
    "proven_rules": Text(
        "proven: with these rules {reading} differs at 0 rows",
        "검증됨: 이 규칙을 추가하면 {reading}의 판정이 다른 행이 0개입니다.",
    ),
    "proven_entries": Text(
        "proven: with these entries {reading} differs at 0 rows",
        "검증됨: 이 항목을 사용하면 {reading}의 판정이 다른 행이 0개입니다.",
    ),
    "left_rules": Text(
        "replayed: with these rules {reading} still differs at {rows}",
        "다시 판정함: 이 규칙을 추가해도 {reading}의 판정이 다른 행이 {rows} 있습니다.",
    ),
    "left_entries": Text(
        "replayed: with these entries {reading} still differs at {rows}",
        "다시 판정함: 이 항목을 사용해도 {reading}의 판정이 다른 행이 {rows} 있습니다.",
    ),
    "as_is": Text(
        "nothing needs to be added, and {reading} differs at {rows}",
        "추가할 것이 없으며, {reading}의 판정이 다른 행은 {rows}입니다.",
    ),
    "once_piped": Text(
        "not proven: standard input, or a pipe, cannot be read a second time",
        "검증하지 못함: 표준 입력이나 파이프는 다시 읽을 수 없습니다.",
    ),
    "once_followed": Text(
        "not proven: a capture that is being followed is read once",
        "검증하지 못함: --follow로 읽는 캡처는 한 번만 읽습니다.",
    ),
    "once_changed": Text(
        "not proven: the capture changed between the two passes",
        "검증하지 못함: 두 번 읽는 사이에 캡처가 바뀌었습니다.",
    ),
    "first_packet_of": Text("first packet", "첫 패킷"),
    "why": Text("why", "이유"),
    "by": Text("by", "항목 또는 규칙"),
    "left_nacl": Text(
        "a network ACL keeps no state: an entry that lets replies or a service pass lets these pass too",
        "네트워크 ACL은 상태를 저장하지 않으므로, 응답이나 서비스를 허용하는 항목이 이 패킷도 허용합니다.",
    ),
    "left_stateless": Text(
        "without a table a rule that lets replies or a service pass lets these pass too",
        "연결을 추적하지 않으면, 응답이나 서비스를 허용하는 규칙이 이 패킷도 허용합니다.",
    ),
    "left_inside": Text(
        "both ends are in one subnet: no network ACL is asked",
        "양쪽이 같은 서브넷에 있어 네트워크 ACL을 거치지 않습니다.",
    ),
    "left_stated": Text(
        "a numbered entry of the files denies them; what was added stands behind it",
        "파일에 있는 번호 항목에서 거부합니다. 추가한 항목은 그 뒤에 있습니다.",
    ),
    "left_lacking": Text("nothing was added that admits them", "이 패킷을 허용하는 항목을 추가하지 않았습니다."),
    "left_sender": Text(
        "the sender's interface decides differently, so that the receiver's is asked in one reading alone",
        "보낸 쪽 인터페이스의 판정이 달라, 받는 쪽 인터페이스는 한 방식에서만 판정합니다.",
    ),
    "left_exempt": Text(
        "the assumed subnet has a router address and a broadcast address, and no rule decides about their traffic",
        "가정한 서브넷의 라우터 주소나 브로드캐스트 주소가 소스 또는 대상인 트래픽이어서 규칙으로 판정하지 않습니다.",
    ),
    "left_unknown": Text("one of the two readings cannot judge them", "두 방식 중 하나가 판정할 수 없는 패킷입니다."),
}


def compare_words(language: str = "en") -> Words:
    """The texts of one language, those of the report's page too."""
    return Words(language, TEXTS | COMPARE_TEXTS)


def amount(t: Words, number: int, noun: str) -> str:
    """`1 row`, `2 rows`; in Korean the number with its counter, the noun stands in the text."""
    return counted(number, noun) if t.language == "en" else f"{number:,}개"


ENGLISH = compare_words()
