"""`python -m benchmarks [SECTION...]`: measure, print a table for each section, keep all in benchmarks/out/bench.json.

A section measured alone leaves the others in bench.json as they were. docs/performance-table.md and docs/plots are
written from it.
"""

import argparse
import json
import os
import platform
import sys
from typing import Any

from benchmarks.rows import Row, as_json, from_json, text_table
from benchmarks.run import OUT, BenchError
from benchmarks.sections import SECTIONS, Section

ROUNDS = 5
RESULTS = OUT / "bench.json"


def machine() -> dict[str, str | int | None]:
    """Where it was measured."""
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": _processor(),
    }


def _processor() -> str:
    """Its name, where Linux tells."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123  (one line of a pseudo-file)
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        return platform.processor()
    return names[0] if names else platform.processor()


def say(text: str) -> None:
    """Progress: one line that the next one covers, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def run(section: Section, rounds: int) -> list[Row]:
    """A section's rows; what ends it early is told in a row of its own."""
    rows: list[Row] = []
    try:
        rows.extend(section.run(rounds, lambda text: say(f"{section.name}: {text}")))
    except BenchError as error:
        rows.append(Row(section.name, "the rest", failed=str(error)))
    say("")
    return rows


def results() -> dict[str, Any]:
    """What bench.json holds."""
    known: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return known if "sections" in known else {"sections": {}}


def main() -> None:
    """The command line."""
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(names)}; none: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds that count, at least 1 (%(default)s)")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.sections) - set(names))
    if unknown or chosen.rounds < 1:
        parser.error(
            f"no section {', '.join(unknown)}: there are {', '.join(names)}" if unknown else "--rounds: from 1"
        )
    OUT.mkdir(exist_ok=True)
    for section in SECTIONS:
        if chosen.sections and section.name not in chosen.sections:
            continue
        rows = run(section, chosen.rounds)
        print(f"{section.says}\n{text_table(rows)}", flush=True)
        found = results()
        found["sections"][section.name] = {"rounds": chosen.rounds, "on": machine(), "rows": as_json(rows)}
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    publish(results())


def publish(found: dict[str, Any]) -> None:
    """The table and the plots of the documents."""
    from benchmarks.page import write_page  # needs matplotlib

    sections = {name: from_json(one["rows"]) for name, one in found["sections"].items()}
    write_page(sections, {name: one["on"] for name, one in found["sections"].items()})


if __name__ == "__main__":
    main()
