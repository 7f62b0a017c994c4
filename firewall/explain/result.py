"""What `eniwall explain` shows."""

from dataclasses import dataclass

from firewall.explain.phases import Explanation
from firewall.state import State


@dataclass(frozen=True, slots=True)
class Explained:
    """Explanations of packets, or the life of one connection (`state`).

    `kinds` and `denied`: with --denied, how many kinds of denial the capture holds, and how many denied rows.
    """

    version: str
    captures: tuple[str, ...]
    profile: str
    settings: dict[str, int | str]
    explanations: tuple[Explanation, ...] = ()
    state: State | None = None
    kinds: int | None = None
    denied: int = 0
    warnings: tuple[str, ...] = ()
