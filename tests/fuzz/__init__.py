"""Random and mutated bytes for everything that reads bytes: `python -m tests.fuzz --target decode`.

Inputs that reach code of their own, or once failed, lie in corpus/, a folder for each target;
`tests/test_fuzz_corpus.py` reads them in every run of the suite. A finding goes there under the name it has,
and comes again with `python -m tests.fuzz --target decode FILE`.
"""

from pathlib import Path

TARGETS = ("pcap", "pcapng", "decode", "tunnel")
CORPUS = Path(__file__).parent / "corpus"


def kept(target: str) -> list[bytes]:
    """The inputs of a target that were kept."""
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
