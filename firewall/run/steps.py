"""`eniwall report --steps` from its words to its steps."""

from firewall.run.inputs import Inputs
from firewall.steps import Steps


def run_steps(inputs: Inputs, most: int, because: str) -> Steps:
    """Judge every packet of a capture by each reading; network ACLs where the rule files have any.

    Raises UsageError for more than `most` packets, and says `because`. Interfaces give their addresses their names.
    """
    main = inputs.firewall("sg")
    readings = ("stateless", "nacl") if main.rule_set.network_acls else ("stateless",)
    firewalls = {"sg": main} | {name: inputs.firewall(name) for name in readings}
    hosts = {
        str(address): eni.interface_id
        for eni in main.interfaces
        for address in eni.addresses
        if str(address) != eni.interface_id
    }
    with inputs.capture(main) as capture:
        return Steps.of(capture, firewalls, hosts=hosts, most=most, because=because)
