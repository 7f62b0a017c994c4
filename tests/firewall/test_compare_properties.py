"""Random rules and conversations: generated entries admit what the groups admit, and the proof tells the truth."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from firewall.columns import row_cells
from firewall.engine import Firewall
from firewall.ephemeral import KINDS
from firewall.labels import Labels
from firewall.reports.compare_result import ComparedResult
from firewall.reports.compare_rules import acl_yaml, rules_yaml
from firewall.sources import load_rules
from pcaps.capture import FrameCapture
from pcaps.conversation import udp_exchange
from tests.firewall.comparisons import compared, laid_out
from tests.firewall.labs import handshake, packet, syn

WEB, DB = "10.0.1.10", "10.0.2.30"
PEERS = ("198.51.100.7", "198.51.100.8", "203.0.113.9", DB)
BLOCKS = ("0.0.0.0/0", "198.51.100.0/24", "203.0.113.9/32", "sg:db")
SERVICES = (
    "protocol: tcp, ports: 80",
    "protocol: udp, ports: 53",
    "protocol: tcp, ports: 1000-2000",
    "protocol: icmp, icmp: 8/-1",
    "protocol: tcp, ports: all",
    "protocol: all",
)
EDGES = (22, 53, 123, 1023, 1024, 1025, 5000, 5001, 32768, 49151, 49152, 61000, 61001, 65535)
PORTS = st.one_of(st.sampled_from(EDGES), st.integers(1, 65535))
SERVICE_PORTS = st.sampled_from((53, 80, 443, 1500))
#: What no entry of a network ACL can change.
CANNOT = {"left_nacl", "left_inside", "left_sender", "left_exempt"}


def rule_lists(key: str) -> st.SearchStrategy[list[str]]:
    """Rules of one direction as flow mappings."""
    rule = st.tuples(st.sampled_from(SERVICES), st.sampled_from(BLOCKS))
    return st.lists(rule.map(lambda each: f"{{{each[0]}, {key}: {each[1]}}}"), max_size=3)


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    """Two interfaces, in made subnets or in one that the file states."""
    groups = "".join(
        f"  {name}:\n    ingress: [{', '.join(draw(rule_lists('source')))}]\n"
        f"    egress: [{', '.join(draw(rule_lists('destination')))}]\n"
        for name in ("web", "db")
    )
    subnets = draw(st.sampled_from(("", "subnets: {all: {cidr: 10.0.0.0/22}}\n")))
    return (
        f"security_groups:\n{groups}interfaces:\n"
        f"  eni-web: {{addresses: [{WEB}], security_groups: [web]}}\n"
        f"  eni-db: {{addresses: [{DB}], security_groups: [db]}}\n{subnets}"
    )


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    """One exchange of a peer and the web server, from either side; or a packet that belongs to none."""
    one, other = draw(st.permutations((WEB, draw(st.sampled_from(PEERS)))))
    sport, dport = draw(PORTS), draw(SERVICE_PORTS)
    kind = draw(st.sampled_from(("tcp", "udp", "ping", "stray")))
    if kind == "tcp":
        return handshake(one, other, dport, sport)
    if kind == "udp":
        return list(udp_exchange(one, other, sport=sport, dport=dport))
    if kind == "ping":
        return [packet(one, other, f"ICMP(type=8, id={sport})"), packet(other, one, f"ICMP(type=0, id={sport})")]
    return [packet(one, other, f'TCP(sport={dport}, dport={sport}, flags="RA")')]


STORIES = st.lists(conversations(), min_size=1, max_size=5).map(lambda parts: [each for part in parts for each in part])


def rows(rules: list[Path], story: list[Any], reading: str) -> list[dict[str, Any]]:
    """Every row, by the rule files alone."""
    firewall = Firewall(load_rules(*map(str, rules)), reading=reading)
    labels = Labels.of(firewall, ("crafted",))
    replayed = firewall.replay(FrameCapture(laid_out(story)))
    return [row for judged in replayed for row in row_cells(judged, labels)]


def verdicts(rules: list[Path], story: list[Any], reading: str) -> list[str]:
    """The verdict of every row."""
    return [str(row["verdict"]) for row in rows(rules, story, reading)]


@given(rule_files(), STORIES)
def test_the_entries_admit_what_the_groups_admit_and_the_count_of_the_rest_is_true(
    rules: str, story: list[Any]
) -> None:
    with TemporaryDirectory() as folder:
        found = compared(Path(folder), rules, story)
        assert found.remedy is not None
        proof = found.proofs["nacl"]
        assert {left.why for left in proof.left} <= CANNOT
        assert all(not left.groups_say.startswith("ALLOW") for left in proof.left)
        assert proof.rows == sum(left.rows for left in proof.left)
        added = Path(folder, "acl.yaml")
        added.write_text(without_stated_subnets(acl_yaml(found.remedy), rules))
        base = Path(folder, "rules.yaml")
        base.write_text(rules.replace("10.0.0.0/22}", f"10.0.0.0/22, network_acl: {acl_name(found)}}}"))
        ours, theirs = (verdicts([base, added], story, reading) for reading in ("sg", "nacl"))
        assert sum(one != other for one, other in zip(ours, theirs, strict=True)) == proof.rows


def acl_name(found: ComparedResult) -> str:
    assert found.remedy is not None
    return next(iter(found.remedy.plan.acl_of.values()))


def without_stated_subnets(text: str, rules: str) -> str:
    """What a reader does where the files have the subnet already: its network ACL stands there."""
    return text[text.index("network_acls:") :] if "subnets:" in rules else text


#: First, second and fourth addresses of blocks, a broadcast address, and plain ones.
PLACES = ("10.0.1.1", "10.0.1.2", "10.0.1.10", "10.0.1.17", "10.0.1.31", "10.0.2.3", "10.0.0.1", "20.0.0.1", "20.0.0.2")
NEIGHBOURS = (*PLACES, *("10.0.0.1", "10.0.1.1") * 4, "10.0.1.18", "10.0.1.33", "10.0.0.255", "198.51.100.7")


@st.composite
def neighbourhoods(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """Two interfaces that no file places, with one closed group, and packets between them and their neighbours."""
    interfaces = draw(st.lists(st.sampled_from(PLACES), min_size=2, max_size=2, unique=True))
    rules = (
        "security_groups: {web: {ingress: [{type: HTTP, source: 10.0.0.0/8}], egress: []}}\ninterfaces:\n"
        + "".join(
            f"  eni-{place}: {{addresses: [{address}], security_groups: [web]}}\n"
            for place, address in enumerate(interfaces)
        )
    )
    ends = st.sampled_from([(mine, other) for mine in interfaces for other in NEIGHBOURS if mine != other])
    pairs = draw(st.lists(st.tuples(ends.flatmap(st.permutations), st.sampled_from((22, 80))), min_size=1, max_size=6))
    return rules, [syn(one, other, port) for (one, other), port in pairs]


@given(neighbourhoods())
def test_a_made_subnet_exempts_no_packet_of_two_interfaces_and_what_else_it_exempts_the_proof_names(
    placed: tuple[str, list[Any]],
) -> None:
    rules, story = placed
    with TemporaryDirectory() as folder:
        found = compared(Path(folder), rules, story)
        assert found.remedy is not None
        added = Path(folder, "acl.yaml")
        added.write_text(acl_yaml(found.remedy))
        base = Path(folder, "rules.yaml")
        plain, placed_rows = (rows(files, story, "sg") for files in ([base], [base, added]))
        changed = [
            now for was, now in zip(plain, placed_rows, strict=True) if was["verdict"] == "DENY" != now["verdict"]
        ]
        interfaces = {str(address) for eni in found.results[0].interfaces for address in eni.addresses}
        assert not any({row["src"], row["dst"]} <= interfaces for row in changed)
        told = sum(left.rows for left in found.proofs["nacl"].left if left.why == "left_exempt")
        assert told >= len(changed)
        event("exempt" if changed else "not exempt")


@given(rule_files(), STORIES)
def test_whole_conversations_that_are_allowed_can_be_made_equal(rules: str, story: list[Any]) -> None:
    """Where the groups deny nothing there is nothing that an ACL could let pass in vain."""
    with TemporaryDirectory() as folder:
        found = compared(Path(folder), rules, story)
        if not found.results[0].summary.verdicts["DENY"]:
            assert found.proofs["nacl"].rows == 0


@given(rule_files(), STORIES)
def test_the_reverse_rules_admit_what_the_groups_admit(rules: str, story: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        found = compared(Path(folder), rules, story, ("sg", "stateless"))
        proof = found.proofs["stateless"]
        assert {left.why for left in proof.left} <= {"left_stateless", "left_sender"}
        assert all(not left.groups_say.startswith("ALLOW") for left in proof.left)
        assert proof.added == bool(found.reverse_rules) == ("protocol" in rules_yaml(found.reverse_rules))


@given(st.integers(1024, 65535), st.integers(1024, 65535))
def test_a_kind_of_client_never_misses_a_port_that_was_seen(one: int, other: int) -> None:
    from firewall.ephemeral import client_kind

    low, high = sorted((one, other))
    kind = client_kind(low, high)
    assert kind.ports[0] <= low <= high <= kind.ports[1]
    before = KINDS[: KINDS.index(kind)]
    assert not any(each.ports[0] <= low and high <= each.ports[1] for each in before)
