"""How large the report of a large run is, how long it takes to make, and to open.

    scripts/dev study report_size [--scenarios 50] [--loops 8] [--processes 30] [--out FOLDER]

Writes a simulated run file, then starts `bench report` on it REPEAT times in processes of their own
(start of the interpreter, reading and statistics included), and opens the page in chromium where
Playwright is installed: until it is interactive (the DOM is there and scripts have run), until it
was first painted, and the time of all tasks longer than 50 ms.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import simulated_run

TIMES = """() => new Promise((done) => {
  const long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map((task) => task.duration)))
    .observe({type: "longtask", buffered: true});
  setTimeout(() => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    done({
      interactive: page.domInteractive,
      loaded: page.domContentLoadedEventEnd,
      painted: paint ? paint.startTime : NaN,
      long: long.reduce((sum, ms) => sum + ms, 0),
      elements: document.getElementsByTagName("*").length,
    });
  }, 1500);
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scenarios", type=int, default=50)
    parser.add_argument("--loops", type=int, default=8)
    parser.add_argument("--processes", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("report-size"))
    arguments = parser.parse_args()
    size = (arguments.scenarios, arguments.loops, arguments.processes)
    run = arguments.out.resolve() / f"{'-'.join(map(str, size))}.jsonl"
    if not run.exists():
        simulated_run.write(run, *size)
    page = run.with_suffix(".html")
    print("{} scenarios x {} loops x {} processes".format(*size))
    taken = [make(run, page) for _ in range(arguments.repeat)]
    walls, cpus = zip(*taken, strict=True)
    print(
        f"bench report: median {statistics.median(walls):.1f} s, CPU {min(cpus):.1f} s,"
        f" load {os.getloadavg()[0]:.1f}"
    )
    print(f"page: {page.stat().st_size / 2**20:.2f} MiB")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None or importlib.util.find_spec("playwright") is None:
        print("not opened: chromium or playwright is missing")
        return
    for line in opened(page, browser, arguments.repeat):
        print(line)


def make(run: Path, page: Path) -> tuple[float, float]:
    """Wall and CPU seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "loopgauge.harness.cli", "report", str(run)]
    subprocess.run([*command, "--out", str(page)], check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def opened(page: Path, browser: str, repeat: int) -> list[str]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        found = []
        for _ in range(repeat):
            tab = chromium.new_page(viewport={"width": 1400, "height": 900})
            tab.goto(page.as_uri())
            found.append(tab.evaluate(TIMES))
            tab.close()
        chromium.close()
    names = ("interactive", "loaded", "painted", "long")
    lines = [f"{found[0]['elements']:,} elements"]
    return lines + [
        f"{name}: median {statistics.median(each[name] for each in found):.0f} ms,"
        f" worst {max(each[name] for each in found):.0f} ms"
        for name in names
    ]


if __name__ == "__main__":
    main()
