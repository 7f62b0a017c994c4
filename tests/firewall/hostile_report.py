"""A report whose every name is an attack: of the capture, the interface, the group, the rule's description."""

import json
from pathlib import Path

from firewall.reports.result import Result
from firewall.run.inputs import Inputs
from firewall.run.report import run_report
from pcaps.samples import sample

PLANTED = """"'><img src=x onerror="planted()"></script><script>planted()</script>@all`|"""


def hostile_result(folder: Path) -> Result:
    """web-http replayed from a file with such a name, through rules with such names."""
    capture = folder / f"{PLANTED.replace('/', '%')}.pcap"
    capture.write_bytes(sample("web-http").read_bytes())
    rule = {"protocol": "tcp", "ports": 80, "source": "0.0.0.0/0", "description": PLANTED}
    rules = {
        "security_groups": {PLANTED: {"ingress": [rule], "egress": []}, "spare": {"ingress": [], "egress": []}},
        "interfaces": {PLANTED: {"addresses": ["10.0.1.10"], "security_groups": [PLANTED]}},
    }
    path = folder / "rules.yaml"
    path.write_text(json.dumps(rules), encoding="utf-8")
    return run_report(Inputs(captures=(str(capture),), rules=(str(path),)), ["-o", "page.html"], "0.0.test")
