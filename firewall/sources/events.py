"""placeholder"""
from firewall.changes import Event
from firewall.model import RuleSet


def load_events(path: str, rules: RuleSet) -> tuple[Event, ...]:
    raise NotImplementedError
