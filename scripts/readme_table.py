"""Fills the results of README.md, or of another page, from a committed result file, or checks them:
a run file, or the verdicts of a conformance run.

    python scripts/readme_table.py --run reports/results/NAME.jsonl.gz
    python scripts/readme_table.py            # the same run again
    python scripts/readme_table.py --check    # exit 1 when README.md would change

The section names the file it was made from; run files may be plain, .gz or .xz.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopgauge.conformance import store
from loopgauge.conformance import summary as conformance
from loopgauge.harness.errors import HarnessError
from loopgauge.harness.store import read_run
from loopgauge.harness.summary import summarise
from loopgauge.reports.exports.compact import compact
from loopgauge.reports.exports.promises import promises

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
SECTION = re.compile(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", re.DOTALL)
SOURCE = re.compile(r"<!-- from (\S+) -->")
NOTHING = "No run has been published yet.\n"
LOOP = "epoll"
REFERENCES = ("asyncio", "uvloop")


def main() -> int:
    arguments = parse()
    try:
        text = arguments.readme.read_text(encoding="utf-8")
        wanted = with_results(text, arguments.run, arguments.root)
    except (OSError, ValueError, HarnessError, store.UnreadableResult) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if wanted == text:
        return 0
    if arguments.check:
        print(
            f"error: the results in {arguments.readme.name} are not what their run file says; "
            "run python scripts/readme_table.py",
            file=sys.stderr,
        )
        return 1
    arguments.readme.write_text(wanted, encoding="utf-8")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", help="the run file, relative to the root of the project")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if outdated")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="another page")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args()


def with_results(text: str, run: str | None, root: Path) -> str:
    """The README with its section made anew from `run`, or from the file it names."""
    section = SECTION.search(text)
    if section is None:
        raise ValueError(f"the README has no section between {BEGIN} and {END}")
    named = SOURCE.search(section[1])
    source = run or (named[1] if named else None)
    body = results(source, root) if source else NOTHING
    return text[: section.start()] + f"{BEGIN}\n{body}{END}" + text[section.end() :]


def results(source: str, root: Path) -> str:
    with unpacked(root / source) as path:
        with path.open("rb") as file:
            verdicts = store.is_result([file.readline()])
        table = of_verdicts(path) if verdicts else of_run(path)
    return f"<!-- from {source} -->\n{table}\n"


def of_run(path: Path) -> str:
    run = read_run(path)
    labels = {arm.label for arm in run.header.arms}
    return compact({name: summarise(run, name) for name in REFERENCES if name in labels}, LOOP)


def of_verdicts(path: Path) -> str:
    return promises(conformance.summarise(store.read(path)))


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The file as it was written, where it is packed in a place of its own."""
    packers = {".gz": gzip.decompress, ".xz": lzma.decompress}
    unpack = packers.get(path.suffix)
    if unpack is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        plain.write_bytes(unpack(path.read_bytes()))
        yield plain


if __name__ == "__main__":
    sys.exit(main())
