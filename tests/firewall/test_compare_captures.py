"""Real captures compared: whatever the groups admit there, the generated rules and entries admit too."""

import json
from pathlib import Path

import pytest

from firewall.run.compare import run_compare
from firewall.run.inputs import Inputs

RULES = """
security_groups:
  server:
    ingress:
      - {protocol: tcp, ports: 0-1023, source: 0.0.0.0/0}
      - {protocol: udp, ports: all, source: 0.0.0.0/0}
    egress:
      - {protocol: tcp, ports: all, destination: 0.0.0.0/0}
      - {protocol: udp, ports: 53, destination: 0.0.0.0/0}
"""


@pytest.mark.slow
def test_nothing_that_the_groups_admit_is_lacking_in_real_captures(captures: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    compared = proven = 0
    for each in json.loads((captures / "index.json").read_text()):
        if not each["eni"]:
            continue
        eni = each["eni"][0].split()[0]
        inputs = Inputs((str(captures / each["name"]),), (str(rules),), (eni,))
        found = run_compare(inputs, ("sg", "stateless", "nacl"), "0.0.test")
        compared += 1
        for reading, proof in found.proofs.items():
            lacking = [left for left in proof.left if left.groups_say.startswith("ALLOW") and left.why != "left_exempt"]
            assert lacking == [], (each["name"], reading)
        proven += found.proofs["nacl"].rows == 0
    assert compared > 30
    assert proven > compared // 2
    print(f"\n{compared} captures compared, network ACLs proven equal in {proven}")  # noqa: T201  (worth a line in every run)
