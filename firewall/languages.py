"""Texts in English and Korean, and what firewall.verdict's reasons mean in Korean.

Korean uses the words of AWS's Korean documentation (보안 그룹, 네트워크 ACL, 인바운드 ...); names of verdicts,
reasons and states are not translated.
https://docs.aws.amazon.com/ko_kr/vpc/latest/userguide/vpc-security-groups.html
"""

from typing import NamedTuple

LANGUAGES = ("en", "ko")


class Text(NamedTuple):
    """One text in every language; `{name}` is filled in."""

    en: str
    ko: str


#: firewall.verdict.REASONS in Korean, by word.
REASONS_KO = {
    "rule": "인터페이스의 보안 그룹 규칙이 이 신규 플로우를 허용함",
    "established": "이미 추적 중인 연결에 속함",
    "related": "추적 중인 연결에 대한 ICMP 오류 메시지",
    "untracked": "규칙이 허용함. 추적되지 않는 플로우이므로 모든 패킷을 규칙과 대조함",
    "exempt": "보안 그룹이 필터링하지 않음: DHCP, AWS 링크 로컬 서비스, 이웃 탐색(NDP)",
    "no-ingress-rule": "추적 중인 연결에 속하지 않으며, 허용하는 인바운드 규칙이 없음",
    "no-egress-rule": "추적 중인 연결에 속하지 않으며, 허용하는 아웃바운드 규칙이 없음",
    "mid-stream": "연결 추적 항목에 속하지 않으며, 새 항목을 만들 수도 없는 TCP 패킷",
    "bad-flags": "있을 수 없는 TCP 플래그 조합",
    "bad-header": "전송 계층 헤더를 읽을 수 없거나 체크섬이 틀림(checksum=1)",
    "invalid-state": "연결 상태와 맞지 않거나, 추적하지 않는 연결에 대한 응답",
    "out-of-window": "연결의 시퀀스 윈도를 벗어남",
    "expired": "추적하던 연결이 유휴 제한 시간을 넘김",
    "icmp-unrelated": "추적하지 않는 연결에 대한 ICMP 오류 메시지",
    "fragment-incomplete": "끝내 재조립되지 않은 데이터그램의 조각",
    "table-full": "연결 추적 테이블이 가득 차 새 플로우를 추가할 수 없음",
    "nacl-ingress": "서브넷의 네트워크 ACL이 인바운드에서 거부함",
    "nacl-egress": "서브넷의 네트워크 ACL이 아웃바운드에서 거부함",
    "source-dest-check": "인터페이스의 주소가 소스도 대상도 아님(소스/대상 확인)",
    "untracked-dropped": "Linux가 추적하지 않으며, 정책상 추적되지 않은 패킷을 버림",
    "undecidable": "구성원을 알 수 없는 보안 그룹 또는 접두사 목록을 참조하는 규칙이 있음",
    "not-ip": "IP 패킷이 아님(ARP, LLDP 등). 링크 계층에서 암호화 또는 압축된 패킷도 포함",
    "truncated": "캡처 길이 제한(snaplen) 때문에 필요한 헤더가 잘림",
    "malformed": "IP 헤더를 읽을 수 없음",
    "unsupported-link": "지원하지 않는 링크 계층",
    "other-interface": "양쪽 모두 시뮬레이션 대상 인터페이스가 아님",
    "local": "두 주소가 모두 같은 인터페이스의 주소임",
    "not-delivered": "VPC가 전달하지 않는 브로드캐스트 또는 멀티캐스트",
    "dropped-at-sender": "보낸 쪽 인터페이스에서 차단되어 도착하지 않음",
}
