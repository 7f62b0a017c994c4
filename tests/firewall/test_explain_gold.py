"""`eniwall explain` for every reason of the vocabulary: the whole text, as somebody once read it."""

import struct
from pathlib import Path

import pytest

from firewall import cli
from firewall.verdict import REASON_WORDS
from pcaps.samples import rules
from tests.firewall.explain_cases import CASES, WEB_RULES, Case
from tests.gold import check_gold
from tests.pcaps.test_capture_files import FRAME, block, enhanced, interface, section

MADE_BY_HAND = {"truncated", "unsupported-link"}  # no packet that is crafted is so


def explain(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["explain", *words])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    return out


def case_words(case: Case, folder: Path) -> list[str]:
    path = Path(case.rules) if "\n" not in case.rules else folder / "rules.yaml"
    if "\n" in case.rules:
        path.write_text(case.rules)
    return [*case.words, "--rules", str(path)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_packet_of_each_reason_is_explained(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = explain(capsys, *case_words(case, tmp_path))
    for reason in case.reasons:
        assert f": {reason}\n" in text
    check_gold(f"explain/{case.name}.txt", text, folders=[tmp_path])


def test_no_reason_is_left_out() -> None:
    assert {reason for case in CASES for reason in case.reasons} | MADE_BY_HAND == set(REASON_WORDS)


def test_a_packet_that_the_snap_length_cut_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.pcapng"
    path.write_bytes(section("<") + interface("<") + enhanced("<", 0, 1, FRAME[:40], wirelen=len(FRAME)))
    text = explain(capsys, str(path), "--packet", "1", "--rules", str(rules("web-http")))
    assert ": truncated\n" in text
    check_gold("explain/truncated.txt", text, folders=[tmp_path])


def test_a_packet_of_an_unknown_link_layer_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_text(WEB_RULES)
    path = tmp_path / "two.pcapng"
    known, unknown = interface("<"), block("<", 1, struct.pack("<HHI", 147, 0, 0))
    path.write_bytes(section("<") + known + unknown + enhanced("<", 0, 1, FRAME) + enhanced("<", 1, 2, FRAME))
    with pytest.raises(SystemExit):
        cli.main(["explain", str(path), "--packet", "2", "--rules", str(tmp_path / "rules.yaml")])
    text = capsys.readouterr().out
    assert ": unsupported-link\n" in text
    check_gold("explain/unsupported-link.txt", text, folders=[tmp_path])
