"""The nearest miss of a denied packet in a sentence, in every language; what to add, the learner finds out."""

from firewall.explain.explainer import Explainer
from firewall.explain.phases import Candidate, Explanation, Passage
from firewall.labels import rule_text
from firewall.languages import Text
from firewall.nearest import DESTINATION, PORT, PROTOCOL, SOURCE, TYPE, Field, Miss, fails_text

FIELDS_KO = {PROTOCOL: "프로토콜", PORT: "포트", TYPE: "ICMP 유형", SOURCE: "소스", DESTINATION: "대상"}
DIRECTIONS_KO = {"ingress": "인바운드", "egress": "아웃바운드"}


def hint(explanation: Explanation, explainer: Explainer) -> Text | None:
    """What came nearest to allowing the packet, at the interface that denied it; None where no rule is missing."""
    for number, passage in enumerate(explanation.passages):
        if passage.verdict != "DENY":
            continue
        miss = explainer.misses.get((0, number))
        if miss is not None:
            return _of_miss(miss, passage)
        if passage.reason.startswith("nacl-"):
            return _of_entries(passage)
    return None


def _of_miss(miss: Miss, passage: Passage) -> Text:
    if miss.rule is None:
        return Text(
            f"{passage.eni} has no {passage.direction} rule",
            f"{passage.eni}에는 {DIRECTIONS_KO[passage.direction]} 규칙이 없습니다",
        )
    return _closest(miss.rule.name, rule_text(miss.rule), miss.fails)


def _of_entries(passage: Passage) -> Text | None:
    """The entry that denied, or, where it is `*`, the allowing one that fails on fewest fields."""
    met = passage.phase("network-acl").candidates
    decided = next((each for each in met if each.decides), None)
    if decided is None:
        return None
    if not decided.name.endswith("[*]"):
        return Text(
            f"{decided.name} {decided.text} denies it, and the lowest number that fits decides",
            f"{decided.name} {decided.text} 항목이 거부합니다. 일치하는 항목 중 번호가 가장 낮은 항목이 적용됩니다",
        )
    allowing: list[Candidate] = [each for each in met if each.action == "allow"]
    if not allowing:
        return Text(
            f"the network ACL has no {passage.direction} entry that allows anything",
            f"네트워크 ACL에는 트래픽을 허용하는 {DIRECTIONS_KO[passage.direction]} 항목이 없습니다",
        )
    nearest = min(allowing, key=lambda each: len(each.fails))
    return _closest(nearest.name, nearest.text, nearest.fails)


def _closest(name: str, text: str, fails: tuple[Field, ...]) -> Text:
    fields = ", ".join(f"{FIELDS_KO[field.name]}({field.packet})" for field in fails)
    return Text(
        f"closest: {name} {text} {fails_text(fails)}",
        f"가장 가까운 규칙 {name} {text}: 일치하지 않는 필드는 {fields}",
    )
