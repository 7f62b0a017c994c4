"""`eniwall report --steps` from its words to its steps."""

from firewall.group_acls import plan_acls
from firewall.run.inputs import Inputs
from firewall.steps import Steps


def run_steps(inputs: Inputs, most: int, because: str) -> Steps:
    """Judge every packet of a capture by each reading; where files have no network ACL, one is made of the groups.

    Raises UsageError for more than `most` packets, and says `because`. Interfaces give their addresses their names.
    """
    main = inputs.firewall("sg")
    plan = plan_acls(main.rule_set, main.interfaces)
    border = inputs.edited(main.rule_set, "nacl", plan.applied)
    firewalls = {"sg": main, "stateless": inputs.firewall("stateless"), "nacl": border}
    hosts = {
        str(address): eni.interface_id
        for eni in main.interfaces
        for address in eni.addresses
        if str(address) != eni.interface_id
    }
    with inputs.capture(main) as capture:
        return Steps.of(
            capture,
            firewalls,
            hosts=hosts,
            notes=plan.notes,
            made_acls=tuple(plan.members),
            most=most,
            because=because,
        )
