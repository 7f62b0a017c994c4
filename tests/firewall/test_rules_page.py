"""docs/rules.md names what the readers know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.markdown import HERE
from firewall.errors import RuleFileError
from firewall.sources import aws_cli, cloudformation, load_rules, native, native_interfaces, native_networks, terraform
from firewall.sources.cloudformation_functions import FUNCTIONS
from firewall.sources.cloudformation_properties import PROPERTIES
from firewall.sources.native_rules import RULE_KEYS
from firewall.sources.tracking import TRACKING_KEYS

# Nothing here depends on how kernels run.
pytestmark = pytest.mark.compiled_only

PAGE = (HERE / "rules.md").read_text(encoding="utf-8")
SOURCES = HERE.parent / "firewall" / "sources"
KIND = re.compile(r"[a-z]+(-[a-z]+)+")


def kinds_in(path: Path) -> Iterator[str]:
    """The kinds of the warnings that a module gives; of one whose kind is no literal every text that may be one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    given = [call.args[0] for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "warn"]
    for kind in given:
        looked_at = [kind] if isinstance(kind, ast.Constant) else ast.walk(tree)
        yield from (
            node.value
            for node in looked_at
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and KIND.fullmatch(node.value)
        )


def test_the_table_of_warnings_has_the_kinds_of_all_sources_and_no_others() -> None:
    table = PAGE.partition("\n## Warnings\n")[2]
    told = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
    given = {kind for path in SOURCES.glob("*.py") for kind in kinds_in(path)}
    assert told == sorted(given)
    assert len(given) > 25


@pytest.mark.parametrize(
    "words",
    [
        native.TOP_KEYS,
        native.GROUP_KEYS,
        native.LIST_KEYS,
        RULE_KEYS,
        native_interfaces.INTERFACE_KEYS,
        native_networks.VPC_KEYS,
        native_networks.SUBNET_KEYS,
        native_networks.ENTRY_KEYS,
        TRACKING_KEYS,
        cloudformation.TOP_KEYS,
        terraform.TOP_KEYS,
        [name for name in FUNCTIONS if name.startswith("Fn::")],
    ],
)
def test_the_page_names_every_key(words: tuple[str, ...]) -> None:
    assert [word for word in words if f"`{word}`" not in PAGE and f"`{word}:" not in PAGE] == []


def test_the_page_names_the_types_that_are_read() -> None:
    types = [kind.rpartition("::")[2] for kind in PROPERTIES if "::" in kind and " " not in kind]
    assert [kind for kind in types if f"`{kind}`" not in PAGE and f"`AWS::EC2::{kind}`" not in PAGE] == []


def test_the_page_names_a_command_for_every_output() -> None:
    commands = re.findall(r"`((?:describe|get)-[a-z-]+)`", PAGE.partition("| output |")[2].partition("\n\n")[0])
    told = {"".join(part.capitalize() for part in command.split("-")[1:]) for command in commands}
    outputs = {
        "Reservations": "Instances",
        "PrefixLists": "ManagedPrefixLists",
        "StaleSecurityGroupSet": "StaleSecurityGroups",
        "Entries": "ManagedPrefixListEntries",
    }
    assert {outputs.get(key, key) for key in aws_cli.TOP_KEYS} <= told


def test_the_example_of_addresses_and_parameters_is_well_formed(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yml\n(addresses:.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "given.yaml"
    path.write_text(f"security_groups: {{web: {{egress: []}}}}\n{example}")
    with pytest.raises(RuleFileError) as caught:
        load_rules(path)
    assert [line for line in caught.value.problems if "no file asks" not in line] == []


def test_the_silence_of_the_page_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"^`(silence: \{.*?\})`", PAGE, re.MULTILINE)
    path = tmp_path / "silence.yaml"
    path.write_text(f"security_groups: {{web: {{egress: []}}}}\n{example}\n")
    assert load_rules(path).silenced == {"unused-group": ("all",), "management-open": ("bastion", "web:ingress[2]")}


def test_links_lead_to_headings() -> None:
    def headings(page: str) -> list[str]:
        lines = (line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#"))
        return [re.sub(r"[^\w -]", "", line).replace(" ", "-") for line in lines]

    links = re.findall(r"\]\(([\w.-]*)#([\w-]+)\)", PAGE)
    pages = {name: (HERE / (name or "rules.md")).read_text(encoding="utf-8") for name, _ in links}
    assert len(pages) > 2
    assert [link for link in links if link[1] not in headings(pages[link[0]])] == []
