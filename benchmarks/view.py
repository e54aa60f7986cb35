"""The live view under a long search: frame times while it streams, and memory afterwards, in Debian's Chromium.

    python benchmarks/view.py [--steps 1000] [--pace-ms 2] [--json FILE] [--screenshot FILE]

Our server plays legal walks of the protocol (`scripted_server.py`); the page is asked as a person asks it and shows all
of them: tree, timeline, gauges, the open step. A frame's time is the interval between two animation frames, so at 60
frames a second it is 16.7 ms at best. Memory is the JavaScript heap and the nodes after a garbage collection, as the
browser's own protocol counts them. Browser, server and this script share the machine.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steiner.cli.local_server import LocalServer, free_port

FOLDER = Path(__file__).resolve().parent
MAX_MODEL_LEN = 200_000
FRAMES_PER_SECOND = 60
LATE_MS, VERY_LATE_MS = 34.0, 100.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
RECORD = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const next = (now) => {
    window.frames_ms.push(now - last);
    last = now;
    if (!window.is_over) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One search shown live.

    Attributes:
        frames_ms: median, 95th and 99th percentile, and the longest interval between two frames.
        last_fifth_ms: median of the last fifth of the stream, when most of the tree is there.
        late: share of frames that took longer than two of 60 a second.
        cpu_s: of the page's main thread in all, in scripts, and in layout and style; others may hold it up.
        very_late: number of frames that took longer than a tenth of a second.
        heap_mib: JavaScript heap after a garbage collection, with the whole run shown; `empty_heap_mib` before it.
    """

    num_steps: int
    num_events: int
    stream_s: float
    frames_ms: tuple[float, float, float, float]
    last_fifth_ms: float
    late: float
    very_late: int
    cpu_s: tuple[float, float, float]
    heap_mib: float
    empty_heap_mib: float
    dom_nodes: int


def main() -> int:
    """Measure, and print a markdown table."""
    arguments = read_arguments()
    port = free_port()
    command = [sys.executable, str(FOLDER / "scripted_server.py"), "--port", str(port)]
    command += ["--pace-ms", str(arguments.pace_ms), "--steps", str(arguments.steps)]
    command += ["--setting", 'store="memory"', "--setting", f"max_model_len={MAX_MODEL_LEN}"]
    with LocalServer(command, port) as server:
        server.wait_until_ready()
        measured = watch(server.url, arguments.steps, arguments.screenshot)
    print(table(measured))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")
    return 0


def watch(url: str, num_steps: int, screenshot: Path | None) -> Measured:
    """Ask in a browser, and record until the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        protocol = page.context.new_cdp_session(page)
        protocol.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(f"{url}/view")
        page.wait_for_selector("article")
        before = counters(protocol)
        page.get_by_text("Single limits").first.click()
        for limit in ("Steps", "Backtracks"):
            page.get_by_label(limit).first.fill(str(num_steps))
        page.get_by_label("Problem").first.fill("make 22 from 15 4 11")
        page.evaluate(RECORD)
        began = time.monotonic()
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_selector('article[data-state="done"]', state="attached", timeout=600_000)
        stream_s = time.monotonic() - began
        page.evaluate("() => { window.is_over = true; }")
        frames = page.evaluate("window.frames_ms")
        last_fifth_ms = statistics.median(frames[-len(frames) // 5 :])
        frames.sort()
        after = counters(protocol)
        if screenshot is not None:
            page.screenshot(path=screenshot)
        num_cards = page.locator(".card").count() - 2
        num_events = page.evaluate("Number(document.querySelector('.replay input').max)")
        browser.close()

    def spent(name: str) -> float:
        return after[name] - before[name]

    return Measured(
        num_cards,
        num_events,
        stream_s,
        (
            statistics.median(frames),
            *(frames[int(len(frames) * share)] for share in (0.95, 0.99)),
            frames[-1],
        ),
        last_fifth_ms,
        sum(frame > LATE_MS for frame in frames) / len(frames),
        sum(frame > VERY_LATE_MS for frame in frames),
        (
            spent("TaskDuration"),
            spent("ScriptDuration"),
            spent("LayoutDuration") + spent("RecalcStyleDuration"),
        ),
        after["JSHeapUsedSize"] / 2**20,
        before["JSHeapUsedSize"] / 2**20,
        int(after["Nodes"]),
    )


def counters(protocol: Any) -> dict[str, float]:
    """What the browser counts of the page, after a garbage collection."""
    protocol.send("HeapProfiler.collectGarbage")
    metrics = protocol.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics}


def chromium() -> str:
    """Path of the browser."""
    found = shutil.which("chromium")
    if found is None:
        raise SystemExit("chromium is not installed: apt-get install chromium (CONTRIBUTING.md)")
    return found


def table(measured: Measured) -> str:
    """The figures for docs/performance.md."""
    middle, p95, p99, longest = measured.frames_ms
    cpu_s, script_s, layout_s = measured.cpu_s
    rows = [
        ("steps shown", f"{measured.num_steps:,}"),
        ("stream", f"{measured.stream_s:.1f} s"),
        ("frame, median / p95 / p99 / longest", f"{middle:.1f} / {p95:.1f} / {p99:.1f} / {longest:.0f} ms"),
        ("the same of the last fifth, median", f"{measured.last_fifth_ms:.1f} ms"),
        ("frames later than 34 ms", f"{measured.late:.2%}"),
        ("frames later than 100 ms", str(measured.very_late)),
        ("CPU of the main thread", f"{cpu_s:.1f} s; scripts {script_s:.1f}, layout and style {layout_s:.1f}"),
        ("the same for each step", f"{1e3 * cpu_s / measured.num_steps:.1f} ms"),
        ("heap before / after", f"{measured.empty_heap_mib:.1f} / {measured.heap_mib:.1f} MiB"),
        ("nodes of the page", f"{measured.dom_nodes:,}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pace-ms", type=float, default=2, help="mean time between two updates")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--screenshot", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
