"""One sentence for each verdict: the reason's meaning, with the rule that it names."""

from firewall.languages import REASONS_KO, Text
from firewall.stations import BORDER, STATELESS
from firewall.verdict import Reason

#: What a reason means where a reading gives it another sense than firewall.verdict does, by the reading's code.
OTHERWISE = {
    (BORDER, "rule"): Text(
        "the network ACL lets it through, as it judges every packet by itself",
        "네트워크 ACL이 허용함. 네트워크 ACL은 패킷마다 따로 판정함",
    ),
    (STATELESS, "rule"): Text(
        "a rule of the interface's security groups allows this very packet",
        "인터페이스의 보안 그룹 규칙이 이 패킷 자체를 허용함",
    ),
    (STATELESS, "no-ingress-rule"): Text(
        "without a table every packet needs a rule, and no ingress rule allows this one",
        "테이블이 없으면 패킷마다 규칙이 필요하며, 이 패킷을 허용하는 인바운드 규칙이 없음",
    ),
    (STATELESS, "no-egress-rule"): Text(
        "without a table every packet needs a rule, and no egress rule allows this one",
        "테이블이 없으면 패킷마다 규칙이 필요하며, 이 패킷을 허용하는 아웃바운드 규칙이 없음",
    ),
}
NO_ACL = Text(
    "no network ACL stands in its way: it stays inside its subnet, or the rules state none",
    "적용되는 네트워크 ACL이 없음. 서브넷 안에서만 오가거나, 규칙 파일에 네트워크 ACL이 없음",
)
#: How a reason goes on with the rule, entry or service that its row names; other reasons name none.
NAMED = {
    "rule": Text(": {rule}", "({rule})"),
    "untracked": Text(": {rule}", "({rule})"),
    "established": Text(", which {rule} let in", "(연결을 허용한 규칙: {rule})"),
    "related": Text(", which {rule} let in", "(연결을 허용한 규칙: {rule})"),
    "exempt": Text(": {rule}", "({rule})"),
    "nacl-ingress": Text(": {rule}", "({rule})"),
    "nacl-egress": Text(": {rule}", "({rule})"),
    "undecidable": Text(": {rule}", "({rule})"),
}
NONE = Text("", "")


def why(reading: int, reason: Reason, rule: str) -> dict[str, str]:
    """A verdict's reason in every language, as a sentence; `reading` is the reading's code."""
    text = OTHERWISE.get((reading, reason.word), Text(reason.meaning, REASONS_KO[reason.word]))
    if reading == BORDER and reason.word == "rule" and not rule:
        text = NO_ACL
    named = NAMED.get(reason.word, NONE) if rule else NONE
    name = rule.removeprefix("exempt:")
    english, korean = (f"{said}{more.format(rule=name)}." for said, more in zip(text, named, strict=True))
    return {"en": f"{english[:1].upper()}{english[1:]}", "ko": korean}
