"""Builds limit.c: what the hardware could do, in C, with eniwall's own tables.

    python -m benchmarks.peers.limit CAPTURE RULES SLOTS [VERDICTS]

builds it where it is not built yet and runs it.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from benchmarks.peers.rules_index import KINDS, PORTS, read_index, write_index
from conntrack import tcp
from conntrack.table import FIELDS
from conntrack.timeouts import NS, STATE_TIMEOUTS, TIMEOUT_NAMES, effective

HERE = Path(__file__).parent
OUT = HERE.parent / "out"
SOURCE = HERE / "limit.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-Wall")
STATE_NAMES = ("NONE", "SYN_SENT", "TIME_WAIT", "CLOSE", "IGNORE", "INVALID", "BAD_FLAGS")


class NoCompilerError(Exception):
    """There is no C compiler, or it does not take limit.c; the message says which."""


def header() -> str:
    """tables.h: the record of the table, the TCP states and their transitions, the timeouts of the aws profile."""
    values = effective("aws", {})
    of_state = [int(values[TIMEOUT_NAMES[number]]) * NS for number in STATE_TIMEOUTS]
    numbers = {name: int(getattr(tcp, name)) for name in STATE_NAMES}
    times = {name.upper(): int(values[name]) * NS for name in ("udp_timeout", "icmp_timeout")}
    times["UDP_STREAM_TIMEOUT"] = int(values["udp_timeout_stream"]) * NS
    shape = "".join(f"[{length}]" for length in tcp.TRANSITIONS.shape)
    return "\n".join(
        [
            "/* Made by benchmarks/peers/limit.py from the modules in conntrack. */",
            f"typedef struct {{ {' '.join(map(_field, FIELDS.names or ()))} }} Entry;",
            f"enum {{ ENTRY_BYTES = {FIELDS.itemsize}, INDEX_SLOTS = {KINDS * PORTS} }};",
            *(f"#define {name} {value}" for name, value in numbers.items()),
            *(f"#define {name} {value}ll" for name, value in times.items()),
            f"static const uint8_t FLAG_CLASSES[256] = {_braces(tcp.FLAG_CLASSES)};",
            f"static const uint8_t TRANSITIONS{shape} = {_braces(tcp.TRANSITIONS)};",
            f"static const int64_t STATE_TIMEOUTS[{len(of_state)}] = {_braces(np.array(of_state))};",
            "",
        ]
    )


def _field(name: str) -> str:
    """A field of the record as C declares it."""
    kind = FIELDS[name]
    base = kind.base
    many = f"[{kind.shape[0]}]" if kind.shape else ""
    return f"{'u' * (base.kind == 'u')}int{base.itemsize * 8}_t {name}{many};"


def _braces(array: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> str:
    return str(array.tolist()).replace("[", "{").replace("]", "}")


def build(out: Path = OUT) -> Path:
    """The program, compiled where source, tables or flags changed. Raises NoCompilerError."""
    tables = header()
    name = sha256(" ".join((tables, SOURCE.read_text(), *FLAGS)).encode()).hexdigest()[:12]
    program = out / f"limit-{name}"
    if program.exists():
        return program
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NoCompilerError(f"no C compiler ({', '.join(COMPILERS)})")
    folder = out / f"limit-{name}.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        (folder / "tables.h").write_text(tables)
        made = folder / "limit"
        command = [compiler, *FLAGS, f"-I{folder}", str(SOURCE), "-o", str(made)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NoCompilerError(f"{compiler} does not compile limit.c: {done.stderr.strip()}")
        made.replace(program)
    finally:
        shutil.rmtree(folder)
    return program


def index_file(rules: Path, out: Path = OUT) -> Path:
    """The index of a rule file, made anew where the rules changed."""
    path = out / f"{rules.stem}-{sha256(rules.read_bytes()).hexdigest()[:12]}.index"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_index(read_index(rules), path)
    return path


def main() -> None:
    """Build and run; the program's own output and exit status."""
    capture, rules, slots, *more = sys.argv[1:]
    try:
        command = [str(build()), capture, str(index_file(Path(rules))), slots, *more]
    except NoCompilerError as error:
        sys.exit(f"limit: {error}")
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
