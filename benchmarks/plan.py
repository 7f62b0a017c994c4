"""What a synthetic capture is to hold. Imports nothing heavy: `benchmarks.run` measures memory, and its own counts."""

from dataclasses import dataclass

WHOLE = 65535  # a snap length that cuts nothing


@dataclass(frozen=True)
class Plan:
    """What to generate.

    `scan`: every packet is the SYN of a flow of its own, to an open port. `payloads`: packets are captured
    whole, `snaplen` (bytes of a frame) does not count. `interfaces` share the flows by lot.
    """

    packets: int = 1_000_000
    flows: int = 50_000
    snaplen: int = 96
    interfaces: int = 1
    scan: bool = False
    payloads: bool = False
    seed: int = 1

    @property
    def cut(self) -> int:
        """The snap length in force."""
        return WHOLE if self.payloads else self.snaplen
