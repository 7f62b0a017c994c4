"""How long the lab takes to open a capture and to step through it, asked as its page asks; prints what it measured.

    python -m benchmarks.lab [--packets 50000] [--flows 2500] [--steps 200] [--browser]

The server's part: the time until an answer is whole, over HTTP. With --browser the page's part is in it too: from the
key until the step is laid out, in a chromium that playwright drives.
"""

import argparse
import http.client
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RULES = Path(__file__).with_name("rules.yaml")
HERE = Path(__file__).resolve().parent.parent


class Asked:
    """One connection to a lab, and how long its answers took."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=600)
        self._top = parts.path

    def __call__(self, method: str, path: str, body: bytes | None = None) -> tuple[float, Any]:
        """Seconds, and the JSON that came."""
        start = time.perf_counter()
        self._connection.request(method, self._top + path, body)
        text = self._connection.getresponse().read()
        seconds = time.perf_counter() - start
        return seconds, json.loads(text)


def told(what: str, seconds: list[float]) -> None:
    """One line: median and worst."""
    ordered = sorted(seconds)
    nearly = ordered[int(0.95 * (len(ordered) - 1))]
    amounts = [f"{1000 * each:7.1f} ms" for each in (statistics.median(ordered), nearly, ordered[-1])]
    print(f"{what:<40} median {amounts[0]}, 95 % {amounts[1]}, worst {amounts[2]}")


def by_server(url: str, capture: bytes, steps: int) -> None:
    """Open, step forward, back and at random, judge again."""
    ask = Asked(url)
    opened = [ask("POST", "api/upload?name=bench.pcap", capture) for _ in range(3)]
    told("open (upload, read, judge three times)", [seconds for seconds, _ in opened])
    found = opened[-1][1]
    name, last = found["id"], found["scene"]["rows"]
    rules = RULES.read_bytes()
    told("judge other rules", [ask("POST", f"api/{name}/rules", rules)[0] for _ in range(3)])
    at = random.Random(8)  # noqa: S311  (places in a capture)
    walks = {
        "step forward, from the middle": range(last // 2, last // 2 + steps),
        "step back, from the middle": range(last // 2, last // 2 - steps, -1),
        "step to any place": [at.randint(1, last) for _ in range(steps)],
    }
    for what, places in walks.items():
        told(what, [ask("GET", f"api/{name}/steps/{n}")[0] for n in places])
    told(
        "200 rows of the timeline",
        [ask("GET", f"api/{name}/rows?start={at.randint(1, last)}")[0] for _ in range(steps)],
    )


def by_page(url: str, path: Path, steps: int) -> None:
    """The same in a browser: from the key until the step is laid out."""
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector(".st-row")
        start = time.perf_counter()
        page.set_input_files("#file", path)
        expect(page.locator("h1")).to_have_text(path.name, timeout=60_000)
        expect(page.locator(".st-packet h2")).to_be_visible()
        print(f"{'page: open':<40} {time.perf_counter() - start:.2f} s")
        middle = page.evaluate("Number(document.querySelector('.st-number').max) / 2 | 0")
        told("page: step forward, from the middle", page.evaluate(WALK, [middle, steps, 1]))
        told("page: step back", page.evaluate(WALK, [middle, steps, -1]))
        browser.close()


# A person's keys leave the browser time to paint what came; what is measured ends when the step is laid out.
WALK = """async ([from, steps, by]) => {
  const number = document.querySelector(".st-number");
  const heading = () => document.querySelector(".st-packet h2")?.textContent.replace(/\\D/g, "");
  const drawn = (n) => new Promise((done) => {
    const box = document.querySelector(".st-packet");
    const look = () => { if (heading() === String(n)) { watch.disconnect(); document.body.offsetHeight; done(); } };
    const watch = new MutationObserver(look);
    watch.observe(box, { childList: true, subtree: true, characterData: true });
    look();
  });
  number.value = from; number.dispatchEvent(new Event("change")); await drawn(from);
  const took = [];
  for (let n = from + by; n !== from + by * (steps + 1); n += by) {
    await new Promise((done) => { setTimeout(done, 100); });
    const start = performance.now();
    const done = drawn(n);
    document.dispatchEvent(new KeyboardEvent("keydown", { key: by > 0 ? "ArrowRight" : "ArrowLeft", bubbles: true }));
    await done;
    took.push((performance.now() - start) / 1000);
  }
  return took;
}"""


def main() -> None:
    """Make a capture, start a lab, ask."""
    words = argparse.ArgumentParser(prog="python -m benchmarks.lab", description=__doc__)
    words.add_argument("--packets", type=int, default=50_000)
    words.add_argument("--flows", type=int, default=2_500)
    words.add_argument("--steps", type=int, default=200)
    words.add_argument("--browser", action="store_true")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.pcap"
        made = [sys.executable, "-m", "benchmarks.generate", str(path)]
        made += ["--packets", str(given.packets), "--flows", str(given.flows), "--snaplen", "96"]
        subprocess.run(made, cwd=HERE, check=True)
        lab = [sys.executable, "-m", "firewall.cli", "lab", "--no-open"]
        with subprocess.Popen(lab, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None  # noqa: S101  (a pipe was asked for)
                url = process.stdout.readline().strip()
                print(f"{given.packets:,} packets of {given.flows:,} flows, {path.stat().st_size / 1e6:.1f} MB")
                by_server(url, path.read_bytes(), given.steps)
                if given.browser:
                    by_page(url, path, given.steps)
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
