"""Captures recorded from real programs, each with its rule file; README.md tells what to expect of them."""

from pathlib import Path

SAMPLES: tuple[str, ...] = (
    "web-http",
    "instance-fetches",
    "https",
    "ssh",
    "database",
    "dns",
    "ping",
    "iperf3",
    "nmap",
    "closed-port",
    "idle",
)
SUFFIXES = (".pcap", ".pcapng", ".pcap.gz")

__all__ = ["SAMPLES", "rules", "sample"]


def sample(name: str) -> Path:
    """The capture of a sample; raises KeyError for a name that is not in SAMPLES."""
    return next(path for suffix in SUFFIXES if (path := _path(name, suffix)).exists())


def rules(name: str) -> Path:
    """The rule file of a sample; raises KeyError for a name that is not in SAMPLES."""
    return _path(name, ".yaml")


def _path(name: str, suffix: str) -> Path:
    if name not in SAMPLES:
        raise KeyError(f"no sample {name!r}; there are {', '.join(SAMPLES)}")
    return Path(__file__).resolve().parent / (name + suffix)
