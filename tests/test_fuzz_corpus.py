"""What fuzzing found, and the inputs that it kept: each is read once more in every run."""

from pathlib import Path

import pytest

from pcaps.capture import open_capture
from pcaps.savefile import PCAP_MAGICS
from tests.fuzz import CORPUS, TARGETS, kept, targets
from tests.fuzz.seeds import SEEDS, longer_headers
from tests.pcaps.test_capture_files import FRAME, enhanced, interface, section

MOST_KEPT = 400 << 10  # bytes of the whole corpus


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_mutations_start_from_holds(target: str) -> None:
    seeds = SEEDS[target]()
    assert len(seeds) > 10
    for data in seeds:
        targets.check(target, data)


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_that_was_kept_holds(target: str) -> None:
    inputs = kept(target)
    assert len(inputs) > 10
    for data in inputs:
        targets.check(target, data)


def test_the_corpus_is_small_and_in_order() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == set(TARGETS)
    assert sum(path.stat().st_size for path in files) < MOST_KEPT


# --- what was found -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("extra", [4, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_how_little_a_pipe_gives_at_once_does_not_change_the_layout_of_records(
    tmp_path: Path, order: str, extra: int
) -> None:
    magic = next(magic for magic, (its, tick) in PCAP_MAGICS.items() if its == order and tick == 1000)
    path = tmp_path / "a"
    path.write_bytes(longer_headers(magic, extra))
    with targets.small_steps(rows=10, block=24), open_capture(str(path)) as capture:
        (batch,) = capture.batches()
        assert batch.dst_port.tolist() == [80, 80, 80, 80]
        assert capture.warnings == []


def test_a_capture_cut_within_the_description_of_its_first_interface_has_no_packets(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(section("<") + interface("<")[:14])
    with open_capture(str(path)) as capture:
        assert list(capture.batches()) == []
        assert capture.warnings == [
            f"{path}: cut in the middle of packet 1 (14 bytes of it, from byte 28); 0 packets were read"
        ]


def test_a_clock_that_cannot_be_is_told_of_its_interface_not_of_the_section(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(section("<") + interface("<", options={9: b"\xff"}) + enhanced("<", 0, 0, FRAME))
    with open_capture(str(path)) as capture:
        assert list(capture.batches()) == []
        (warning,) = capture.warnings
    assert "an interface whose clock ticks more often than" in warning
    assert "section" not in warning
