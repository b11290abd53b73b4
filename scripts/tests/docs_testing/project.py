"""A folder with the files that the pages' commands name: modules, results, settings."""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

import msgspec

from loopgauge.harness import model

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "reports" / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "harness" / "tests"))

from fleets_testing import Host, write_fleet
from report_testing.files import write_run
from report_testing.verdicts import verdict, write_results

MODULE = """
import asyncio


def new_event_loop():
    return asyncio.SelectorEventLoop()


old_loop = new_loop = new_event_loop


async def main():
    await asyncio.sleep(0)
"""
# my_app and my_pkg are what --help calls them, the others what the pages do.
MODULES = ("my_module.py", "my_package.py", "my_app.py", "my_pkg.py", "myloop.py")
EMPTY = ("conformance.toml", "known.toml", "libmine.so", "ca.pem", "cert.pem", "key.pem")
WHEEL = "dist/myloop-1.0-py3-none-any.whl"  # of which only the name is looked at
# One is called like a command of `bench history`.
BENCHMARKS = ("throughput.sleep0", "throughput.call_soon_chain", "import")
# Small ones stand where the project's are.
ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = [
    path.relative_to(ROOT).as_posix() for path in (ROOT / "reports/results").glob("*.jsonl.xz")
]
PUBLISHED += ["results/RUN.jsonl.xz"]


def make(folder: Path) -> None:
    """Writes the files into `folder`, which has nothing of ours yet."""
    for name in MODULES:
        (folder / name).write_text(MODULE, encoding="utf-8")
    for name in EMPTY:
        (folder / name).touch()
    runs = folder / ".bench" / "runs"
    for name in ("20261120T100000Z-a", "20261121T100000Z-b", "RUN"):
        run(runs / f"{name}.jsonl")
    for name in ("machine-a", "machine-b"):
        run(folder / name / "run.jsonl")
    (folder / WHEEL).parent.mkdir()
    (folder / WHEEL).touch()
    hosts = [Host(f"{number:08x}", {"epoll": 0.5, "uvloop": 0.6}) for number in range(3)]
    write_fleet(folder / ".bench" / "fleets" / "RUN", hosts, BENCHMARKS[:2])
    conformance = folder / ".bench" / "conformance"
    for name in ("A", "B", "OLD", "NEW", "RUN"):
        promises(conformance / f"{name}.jsonl")
    for name in ("OLD", "NEW"):
        run(folder / f"{name}.jsonl")
    for name in (*PUBLISHED, "published.jsonl.xz", "published-conformance.jsonl.xz"):
        made = promises if "conformance" in name else run
        packed(made((folder / name).with_suffix("")))


def run(path: Path) -> Path:
    """With instructions beside the times."""
    write_run(path, benchmarks=BENCHMARKS)
    counted = [
        model.Metric(
            benchmark=name, arm=arm, metric="instructions", unit="instruction/step", value=1000.0
        )
        for name in BENCHMARKS
        for arm in ("asyncio", "epoll", "uvloop")
    ]
    *records, end = path.read_bytes().splitlines(keepends=True)
    lines = [msgspec.json.encode(metric) + b"\n" for metric in counted]
    path.write_bytes(b"".join([*records, *lines, end]))
    return path


def promises(path: Path) -> Path:
    return write_results(path, [verdict(loop="asyncio"), verdict(loop="epoll")])


def packed(path: Path) -> None:
    path.with_suffix(".jsonl.xz").write_bytes(lzma.compress(path.read_bytes()))
    path.unlink()
