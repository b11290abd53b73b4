"""`bench import`: files of other tools become run files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli import exit_codes

if TYPE_CHECKING:
    from loopgauge.harness.store import RunFile

EPILOG = f"""\b
Examples:
  bench import bench.json
  bench import old.json new.json --out results
  bench import google.json --loop mine --json
  bench import run1.json run2.json run3.json --together

\b
Reads the JSON of pyperf (-o FILE, .json.gz too) and of Google Benchmark
(--benchmark_out=FILE). A pyperf run is a process. Repetitions of Google
Benchmark share one, so its own bias of 1 to 2 % is in no interval: run the
program several times, and import the files --together; each is a process then.
Counters and aggregates are not taken over.

\b
`bench report` and `bench compare` read such files without this command.

\b
--json prints a list with an object per file: "file", "run" (the path of the
run file), "format", "benchmarks", "arms", "samples" and "notes".

{exit_codes.HELP}"""


@click.command("import", epilog=EPILOG)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="Where to. Default: .bench/runs.",
)
@click.option(
    "--loop",
    default="",
    metavar="NAME",
    help="What was measured, where the file does not say it. Default: the tool's name.",
)
@click.option(
    "--together", is_flag=True, help="The files are one program, run several times: one run."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def import_results(
    files: tuple[Path, ...], out: Path | None, loop: str, together: bool, as_json: bool
) -> None:
    """Make run files of the results of other tools."""
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.formats import read_foreign
    from loopgauge.harness.formats.joining import join
    from loopgauge.harness.manager import require_place

    # All are read before one is written: a bad one leaves nothing half done.
    readings = [read_foreign(file, loop) for file in files]
    if together:
        readings = [join(readings)]
    if out is not None and out.suffix == ".jsonl" and len(readings) > 1:
        raise click.UsageError(
            "Several files make several runs: give a folder as --out, or --together."
        )
    runs = [reading.run_file() for reading in readings]
    places = place([run.path for run in runs], out)
    for path in places:
        require_place(path)
    for run, path in zip(runs, places, strict=True):
        store(run, path)
    items = [item(run, path) for run, path in zip(runs, places, strict=True)]
    if as_json:
        print_json(items)
        return
    for each in items:
        click.echo(line(each))
        for note in each["notes"]:
            click.echo(f"  {note}", err=True)


def place(files: Sequence[Path], out: Path | None) -> list[Path]:
    """One for each, and none twice."""
    from loopgauge.harness.manager import new_path

    if out is None:
        return [new_path() for _ in files]
    if out.suffix == ".jsonl":
        return [out]
    paths = [out / f"{file.name.split('.')[0]}.jsonl" for file in files]
    if len(set(paths)) < len(paths):
        raise click.UsageError("Two of the files have one name: import them one by one.")
    return paths


def store(run: RunFile, path: Path) -> None:
    """In one write: whole, or not there."""
    from loopgauge.harness.store import RunWriter

    run.header.run = path.stem
    with RunWriter(path) as writer:
        writer.append([run.header, *run.events, *run.samples, *run.metrics, *run.ends])


def item(run: RunFile, path: Path) -> dict[str, Any]:
    from loopgauge.harness.judgement import standing

    return {
        "file": str(run.path),
        "run": str(path),
        "format": run.header.imported,
        "benchmarks": [benchmark.id for benchmark in run.header.benchmarks],
        "arms": [arm.label for arm in run.header.arms],
        "samples": len(run.samples),
        "notes": standing(run),
    }


def line(of: dict[str, Any]) -> str:
    from loopgauge.harness.cli.runs import shown

    benchmarks, samples = len(of["benchmarks"]), of["samples"]
    return (
        f"{shown(Path(of['run']))}: {benchmarks} benchmark{'s' * (benchmarks != 1)} of "
        f"{', '.join(of['arms'])}, {samples} sample{'s' * (samples != 1)}"
    )
