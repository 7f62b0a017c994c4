"""Folders of rule files."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from firewall.errors import RuleFileError
from firewall.sources import load_rules
from tests.firewall.aws_outputs import ENI, group


def put(folder: Path, files: dict[str, str]) -> None:
    """Files by name."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def problems_of(*paths: Path) -> list[str]:
    with pytest.raises(RuleFileError) as caught:
        load_rules(*paths)
    return caught.value.problems


def test_a_folder_stands_for_the_rule_files_in_it_and_below_it(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "b.json": json.dumps(group(identity="sg-1")),
            "c.YAML": "security_groups: {c: {ingress: [], egress: []}}",
            "a/a.yml": "security_groups: {a: {ingress: [], egress: []}}",
            "eni.json": json.dumps({"NetworkInterfaces": [ENI]}),
            "README.md": "# not a rule file",
            "capture.pcap": "neither",
        },
    )
    rules = load_rules(tmp_path)
    assert list(rules.groups) == ["a", "sg-1", "c"]
    assert rules.interfaces.keys() == {"eni-1"}
    assert rules.groups["a"].place is not None
    assert rules.groups["a"].place.file == f"{tmp_path}/a/a.yml"


def test_a_folder_and_files_may_be_given_together(tmp_path: Path) -> None:
    put(tmp_path, {"folder/a.json": json.dumps(group()), "b.json": json.dumps({"NetworkInterfaces": [ENI]})})
    assert load_rules(tmp_path / "b.json", str(tmp_path / "folder")).interfaces["eni-1"].groups == ("sg-1",)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "a.json": json.dumps(group()),
            ".terraform/modules.json": '{"Modules": []}',
            ".a.json": "hidden",
            "deeper/.git/x.yaml": "hidden",
        },
    )
    assert load_rules(tmp_path).groups.keys() == {"sg-1"}


def test_a_folder_without_rule_files_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, {"notes.txt": "x", ".a.json": "hidden"})
    says = [f"{tmp_path}: no rule file is in this folder: .json, .yaml, .yml are read"]
    assert problems_of(tmp_path) == says


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, {"a.json": json.dumps(group()), "closed/b.json": "{}"})
    listed = os.scandir

    def scandir(folder: str) -> Any:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read everything
    assert problems_of(tmp_path) == [f"{tmp_path}: {tmp_path}/closed cannot be read (Permission denied)"]
    closed = tmp_path / "closed"
    assert problems_of(closed) == [f"{closed}: {closed} cannot be read (Permission denied)"]


def test_a_file_in_a_folder_that_is_no_rule_file_is_named(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "a.json": json.dumps(group()),
            "b.json": '{"name": "package", "version": "1.0.0"}',
            "c.yaml": "",
            "d.json": '{"Addresses": []}',
            "e.yml": "- a list",
        },
    )
    first, *others = problems_of(tmp_path)
    assert first.startswith(f"{tmp_path}/b.json:1:2 name - unknown key 'name': ")
    assert others == [
        f"{tmp_path}/c.yaml: the file is empty: write security_groups: and the groups below it",
        f"{tmp_path}/d.json:1:2 Addresses - Elastic IP addresses match no rule: leave describe-addresses out",
        f"{tmp_path}/e.yml:1:1 - a rule file is a mapping: write security_groups: and the groups below it",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_links_that_lead_nowhere_are_named_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    put(tmp_path, {"a.json": json.dumps(group())})
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert load_rules(tmp_path).groups.keys() == {"sg-1"}
    (tmp_path / "gone.json").symlink_to(tmp_path / "nothing.json")
    assert problems_of(tmp_path) == [f"{tmp_path}/gone.json: no such file; check the path"]
