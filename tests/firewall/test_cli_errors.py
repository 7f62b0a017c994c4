"""Words that do not fit and files that cannot be read: status 2, one message, never a traceback."""

import shlex
import struct
import subprocess
from pathlib import Path

import pytest

from firewall import cli
from tests.firewall.test_cli import ENIWALL, ROOT, WEB, WEB_RULES, Run

PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def refused(run: Run, *words: str | Path) -> str:
    done = run(*words)
    assert (done.status, done.out, "Traceback" in done.err) == (2, "", False)
    return done.err


def test_no_words_print_the_help(run: Run) -> None:
    done = run()
    assert (done.status, done.out.startswith("Usage: eniwall")) == (0, True)
    assert done.out == run("--help").out


def test_the_version(run: Run) -> None:
    assert run("--version").out.startswith("eniwall ")


@pytest.mark.parametrize("command", ["replay", "compare"])
def test_every_capturing_command_takes_the_same_words(command: str, run: Run) -> None:
    text = run(command, "--help").out
    words = {"--rules", "--eni", "--profile", "--set", "--filter", "--craft", "--json"}
    assert words <= set(text.replace(",", " ").split())


def test_no_capture_is_a_usage_error(run: Run) -> None:
    told = "nothing to judge: name a capture (- is standard input), or craft packets with --craft"
    assert told in refused(run, "replay", "--rules", WEB_RULES)


def test_a_capture_and_crafted_packets_do_not_mix(run: Run) -> None:
    words = ("replay", WEB, "--craft", "IP()", "--rules", WEB_RULES)
    assert "captures and --craft do not go together" in refused(run, *words)


def test_rules_are_needed(run: Run) -> None:
    assert "Missing option '--rules'" in refused(run, "replay", WEB)


def test_a_name_that_would_steer_the_terminal_is_written_harmlessly(run: Run, tmp_path: Path) -> None:
    told = refused(run, "replay", tmp_path / "a\x1b[31m.pcap", "--rules", WEB_RULES)
    assert (r"a\x1b[31m.pcap: no such file" in told, "\x1b" in told) == (True, False)


def test_a_missing_capture(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nope.pcap"
    assert refused(run, "replay", path, "--rules", WEB_RULES).startswith(f"eniwall: {path}: ")


@pytest.mark.parametrize("content", [b"", b"no capture\n", b"\x1f\x8bno gzip"], ids=["empty", "text", "bad gzip"])
def test_a_file_that_is_no_capture(content: bytes, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    assert refused(run, "replay", path, "--rules", WEB_RULES).startswith(f"eniwall: {path}")


def test_a_folder_is_no_capture(run: Run, tmp_path: Path) -> None:
    assert str(tmp_path) in refused(run, "replay", tmp_path, "--rules", WEB_RULES)


def test_a_header_without_packets_is_no_packets(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(PCAP_HEADER)
    done = run("replay", path, "--rules", WEB_RULES)
    assert (done.status, done.out.startswith("0 packets: ")) == (0, True)
    assert f"{path}: holds no packets\n" in done.out
    told = "no interface of the files has this address; judged with all groups: web"
    assert (
        run("replay", path, "--rules", WEB_RULES, "--eni", "10.9.9.9").err
        == f"eniwall: warning: --eni 10.9.9.9: {told}\n"
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Rules that name no interface."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("security_groups: {web: {ingress: [], egress: []}}\n")
    return rules


def test_an_interface_that_is_missing_is_the_address_with_most_packets(run: Run, bare: Path) -> None:
    message = refused(run, "replay", WEB, "--rules", bare)
    assert "Busiest addresses of the first 56 packets:\n" in message
    assert message.endswith(f"\n  for example: eniwall replay {WEB} --rules {bare} --eni 10.0.1.10\n")


@pytest.mark.parametrize(
    "words",
    [
        ("annotate", "-o", "OUT.pcapng"),
        ("compare", "--as", "sg,nacl", "--filter", "tcp port 80"),
        ("explain", "--packet", "4"),
        ("report", "--steps", "-o", "OUT.html"),
        ("state", "--at", "9"),
    ],
    ids=lambda words: words[0],
)
def test_without_an_interface_the_command_to_copy_is_the_one_that_was_typed(
    run: Run, bare: Path, words: tuple[str, ...]
) -> None:
    command, *more = (word.replace("OUT", str(bare.with_name("out"))) for word in words)
    typed = (command, WEB, "--rules", str(bare), *more)
    told = refused(run, *typed).splitlines()[-1]
    assert told == f"  for example: {shlex.join(['eniwall', *typed])} --eni 10.0.1.10"
    copied = shlex.split(told.removeprefix("  for example: eniwall "))
    assert run(*copied).status == 0


def test_for_a_crafted_packet_the_interface_is_its_destination(run: Run, bare: Path) -> None:
    expression = 'IP(src="192.0.2.9", dst="10.0.1.10")/UDP(dport=53)'
    message = refused(run, "replay", "--craft", expression, "--rules", bare)
    assert message.endswith(f"\n  for example: eniwall replay --craft '{expression}' --rules {bare} --eni 10.0.1.10\n")


def test_where_standard_input_came_from_is_not_known(bare: Path) -> None:
    command = [*ENIWALL, "replay", "-", "--rules", str(bare)]
    with Path(WEB).open("rb") as capture:
        done = subprocess.run(command, cwd=ROOT, stdin=capture, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "  for example: the same command with --eni 10.0.1.10",
    )


def test_a_group_on_no_interface_is_a_warning(run: Run, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("security_groups: {replies: {ingress: [], egress: [{type: HTTP, destination: 0.0.0.0/0}]}}\n")
    told = "on no interface that the files describe, so these rules admit nothing here: security group replies"
    assert told in run("replay", WEB, "--rules", WEB_RULES, "--rules", more).err
    assert told not in run("replay", WEB, "--rules", WEB_RULES, "--rules", more, "--eni", "192.0.2.80").err


def test_a_capture_named_twice_is_a_warning(run: Run) -> None:
    done = run("replay", WEB, WEB, "--rules", WEB_RULES)
    assert done.err == f"eniwall: warning: {WEB}: named more than once; each of its packets is judged as often\n"


def test_a_full_disk_behind_standard_output_is_told() -> None:
    command = [*ENIWALL, "replay", WEB, "--rules", WEB_RULES]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "eniwall: standard output: No space left on device\n")


def test_the_wrong_one_of_several_expressions_is_numbered(run: Run) -> None:
    words = ("--craft", "IP()/TCP()", "--craft", "IP()/TPC()")
    message = refused(run, "replay", *words, "--rules", WEB_RULES)
    assert message.startswith("eniwall: expression 2 of 2: no layer is called TPC; did you mean TCP?\n")


def test_a_capture_cut_in_a_packet_is_judged_and_warned_of(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(Path(WEB).read_bytes()[:-10])
    done = run("replay", path, "--rules", WEB_RULES)
    assert (done.status, done.out.startswith("55 packets: ")) == (0, True)
    assert done.err.startswith(f"eniwall: warning: {path}")
    assert "56" in done.err


def test_a_missing_rule_file(run: Run) -> None:
    assert "nope.yaml" in refused(run, "replay", WEB, "--rules", "nope.yaml")


def test_every_mistake_of_a_rule_file_is_told_at_once(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "security_groups:\n"
        "  web:\n"
        "    ingress:\n"
        "      - {protocol: tpc, ports: 80, source: 0.0.0.0/0}\n"
        "      - {protocol: tcp, ports: 99999, source: 0.0.0.0/0}\n"
        "      - {protocol: tcp, ports: 80, source: 0.0.0.0/40}\n"
        "      - {protocol: tcp, ports: 80}\n"
        "      - {protocol: tcp, ports: 80, source: sg:nowhere}\n"
    )
    message = refused(run, "replay", WEB, "--rules", path)
    assert message.startswith("eniwall: 5 problems in the rules:\n")
    assert [f"{path}:{line}:" in message for line in range(4, 9)] == [True] * 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "tcp_loose"), "write NAME=VALUE"),
        (("--set", "nf_conntrack_tcp_loose=0"), "names stand without nf_conntrack_; write tcp_loose=0"),
        (("--set", "net.netfilter.nf_conntrack_max=9"), "write max=9"),
        (("--set", "no_such=1"), "no_such: no such setting"),
        (("--profile", "azure"), "'azure' is not one of 'aws', 'linux'"),
        (("--eni", "web"), "--eni web: neither an address nor an interface"),
        (("--filter", "tcp port"), "eniwall: filter 'tcp port': can't parse filter expression: syntax error; write"),
        (("-o", "rows.txt"), "eniwall: rows.txt: the ending says what to write"),
        (("-o", "no/such/folder/rows.csv"), "does not exist; make it first"),
        (("-o", "rows.csv", "-o", "./rows.csv"), "names the same file twice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_word_that_does_not_fit(words: tuple[str, ...], told: str, run: Run) -> None:
    assert told in refused(run, "replay", WEB, "--rules", WEB_RULES, *words)


def test_an_output_never_replaces_an_input(run: Run, tmp_path: Path) -> None:
    capture = tmp_path / "capture.csv"
    capture.write_bytes(Path(WEB).read_bytes())
    message = refused(run, "replay", capture, "--rules", WEB_RULES, "-o", capture)
    assert "is an input of the same command" in message
    assert capture.read_bytes() == Path(WEB).read_bytes()


def test_an_output_of_a_failed_replay_is_not_left_behind(run: Run, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("security_groups: {web: {ingress: [], egress: []}}\n")
    message = refused(run, "replay", WEB, "--rules", rules, "-o", tmp_path / "rows.csv")
    assert "which address is the interface?" in message
    assert list(tmp_path.iterdir()) == [rules]


@pytest.mark.parametrize("readings", ["sg", "sg,path", "sg,sg"])
def test_readings_that_are_not_known(readings: str, run: Run) -> None:
    message = refused(run, "compare", WEB, "--rules", WEB_RULES, "--as", readings)
    assert "write two or three different readings of sg, stateless, nacl" in message


def test_an_expression_that_cannot_be_read(run: Run) -> None:
    assert refused(run, "replay", "--craft", "IP(", "--rules", WEB_RULES).startswith("eniwall: ")


def test_a_mistake_of_the_program_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_text: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "emit", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main([])
