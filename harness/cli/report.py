"""`bench report`: result files in, a report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli import exit_codes, exports
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.output import require_no_result
from loopgauge.harness.exit_codes import first
from loopgauge.harness.packed import stem

if TYPE_CHECKING:
    from loopgauge.harness.cli.given import Given
    from loopgauge.harness.store import RunFile
    from loopgauge.harness.summary import RunSummary

IMAGES = ("png", "svg")
TEXTS = ("md", "csv")
ENDINGS = {name: f".{name}.json" for name in exports.FORMATS}

EPILOG = f"""\b
Examples:
  bench report latest --open
  bench report latest latest~1 --out compare.html
  bench report .bench/runs/RUN.jsonl --format png --format svg --out plots
  bench report latest --format md >> RESULTS.md
  bench report latest --format pyperf --arm uvloop --out uvloop.json
  bench report google.json --open
  bench report .bench/conformance/A.jsonl .bench/conformance/B.jsonl --out matrix
  bench report published.jsonl.xz published-conformance.jsonl.xz --out page.html
  bench report .bench/fleets/RUN --open
  bench report --diff .bench/conformance/OLD.jsonl .bench/conformance/NEW.jsonl

\b
Results of `bench conformance`, of several Pythons at best, make a folder with
the matrix of loops and rules and a page per case: --out, or one beside the
first file. --diff compares two of them and ends with 5 if something
that conformed fails now.

\b
The folder of a run on many hosts (`bench run --on`) makes a page of its own:
each host first, then what holds on all of them; also --format md and --json.

\b
pyperf and google-benchmark are files of those tools, with one value per
process; github-action-benchmark is that action's customSmallerIsBetter (and
...-bigger its customBiggerIsBetter), bencher the Bencher Metric Format. They
take one run. Names are BENCHMARK/ARM; with one --arm they are BENCHMARK, so
that `pyperf compare_to` can compare the files of two loops. What a format
cannot express is named, with exit code 6.

\b
RUN may be a file of pyperf or Google Benchmark, too. Any file may be packed
with gzip or xz.

\b
Runs and conformance results together make the page of the runs: what the
results say of the same builds is joined to it, beside what is stored in
.bench/conformance. Results of other builds are named, with exit code 6.

\b
Of several files the readable ones are shown, and the page names the others,
with exit code 7. Where nothing at all could be measured, the page says why,
with exit code 4.

\b
Without --out, html is written beside the (first) run file, images into a
folder beside it, everything else to standard output. With several formats
--out is a folder. A truncated run is reported as far as it goes, with exit code 7.

{exit_codes.HELP}"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["html", *IMAGES, *TEXTS, *exports.FORMATS]),
    help="What to make (repeat). Default: html, one file that needs no network.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE|FOLDER", help="Where to.")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="LABEL",
    help="In a file for another tool, only this arm (repeat). Default: all loops.",
)
@click.option(
    "--diff", is_flag=True, help="What changed between two conformance results, OLD and NEW."
)
@click.option("--json", "as_json", is_flag=True, help="Of a fleet: the summary over its hosts.")
@click.option("--open", "open_it", is_flag=True, help="Show the HTML page in the browser.")
def report(
    runs: tuple[str, ...],
    formats: tuple[str, ...],
    out: Path | None,
    arms: tuple[str, ...],
    diff: bool,
    as_json: bool,
    open_it: bool,
) -> None:
    """Make a report from result files.

    RUN is a run file, `latest`, or `latest~1` for the one before it; a result
    of `bench conformance`; or the folder of a gate or a fleet, which makes a page of its own.
    """
    from loopgauge.harness.cli import fleet_report, gate_report, matrix
    from loopgauge.harness.cli.given import given

    chosen = tuple(dict.fromkeys(formats)) or ("html",)
    found = given(runs)
    if found.fleets:
        require_one_fleet(found, chosen, arms, diff=diff, as_json=as_json, open_it=open_it)
        code = fleet_report.report(
            found.fleets[0], found.verdicts, chosen, out, as_json=as_json, open_it=open_it
        )
        click.get_current_context().exit(code)
    if as_json:
        raise click.UsageError("--json is of the folder of a fleet; for a run: --format csv.")
    if found.gates:
        require_gates_only(found, chosen, diff=diff)
        code = gate_report.report(found.gates, out, open_it=open_it)
        click.get_current_context().exit(code)
    if not found.runs:
        if chosen != ("html",):
            raise click.UsageError("Conformance results make html only.")
        if diff:
            code = matrix.report_difference(found.verdicts, out, open_it=open_it)
            click.get_current_context().exit(code)
        matrix.report(found.verdicts, out, open_it=open_it)
        return
    if diff:
        raise click.UsageError("--diff compares two results of `bench conformance`.")
    if open_it and "html" not in chosen:
        raise click.UsageError("--open shows the HTML page; add --format html.")
    foreign = [name for name in chosen if name in exports.FORMATS]
    if foreign and len(found.runs) > 1:
        raise click.UsageError(f"A file of {foreign[0]} holds one run; give one RUN.")
    if arms and not foreign:
        raise click.UsageError(f"--arm chooses what goes into {', '.join(exports.FORMATS)}.")
    require_other_place(out, [*found.runs, *found.verdicts])
    click.get_current_context().exit(make(read(found), chosen, out, arms, open_it))


def require_gates_only(found: Given, chosen: Sequence[str], *, diff: bool) -> None:
    if found.runs or found.verdicts:
        raise click.UsageError("A gate has a page of its own: give gates, or other results.")
    if chosen != ("html",) or diff:
        raise click.UsageError("The folder of a gate makes html only.")


def require_one_fleet(
    found: Given,
    chosen: Sequence[str],
    arms: Sequence[str],
    *,
    diff: bool,
    as_json: bool,
    open_it: bool,
) -> None:
    if found.runs or found.gates or len(found.fleets) > 1:
        raise click.UsageError("A fleet has a page of its own: give one folder.")
    if not set(chosen) <= {"html", "md"} or diff or arms:
        raise click.UsageError(
            "The folder of a fleet makes html, md and --json; its hosts' run files make the rest."
        )
    if open_it and (as_json or "html" not in chosen):
        raise click.UsageError("--open shows the HTML page; add --format html.")


def require_other_place(out: Path | None, sources: Sequence[Path]) -> None:
    if out is not None and any(out.resolve() == source.resolve() for source in sources):
        raise click.UsageError(
            f"--out {out} is the result file itself, which is never overwritten."
        )
    if out is not None:
        require_no_result(out)


@dataclass
class Reading:
    """The readable files, each as far as it is whole. `problems`: of the files; `left_out`: what
    was asked for and has no place in the report."""

    files: list[tuple[RunFile, RunSummary]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def summaries(self) -> list[RunSummary]:
        return [summary for _, summary in self.files]


def read(found: Given) -> Reading:
    """Raises the error of a single file; of several, as long as one can be read, the page says
    what became of the others."""
    from loopgauge.harness.cli.given import unjoined
    from loopgauge.harness.errors import NothingToMeasure, RunFileError
    from loopgauge.harness.formats import read_any_whole
    from loopgauge.harness.summary import summarise
    from loopgauge.harness.verdicts import read_verdicts

    verdicts = read_verdicts(more=found.verdicts)
    made = Reading()
    for path in found.runs:
        try:
            run, problem = read_any_whole(path)
            made.files.append((run, summarise(run, verdicts=verdicts)))
        except (RunFileError, NothingToMeasure) as error:
            if len(found.runs) == 1:
                raise
            problem = f"{error.cause}; the report is without it"
        else:
            if problem:
                problem += f", and the report shows those. Go on with: bench run --resume {path}"
        if problem:
            made.problems.append(problem)
    made.left_out = [
        f"{path} says nothing of a build that was measured here"
        for path in unjoined(found.verdicts, [run for run, _ in made.files])
    ]
    return made


def make(
    found: Reading, chosen: Sequence[str], out: Path | None, arms: Sequence[str], open_it: bool
) -> ExitCode:
    """Writes every format, and says what became of it."""
    left_out = found.left_out
    if found.files:
        left_out = left_out + write_all(found, chosen, out, arms, open_it)
    for line in left_out:
        click.echo(f"{line}.", err=True)
    for problem in found.problems:
        click.echo(f"error: {problem}.", err=True)
    codes = {ExitCode.LEFT_OUT} if left_out else set()
    if found.problems:
        codes.add(ExitCode.UNREADABLE)
    void = [summary.path for summary in found.summaries if not measured_anything(summary)]
    for path in void:
        click.echo(f"error: nothing valid was measured in {path}; the report says why.", err=True)
    if void:
        codes.add(ExitCode.NOTHING_MEASURED if len(void) == len(found.files) else ExitCode.LEFT_OUT)
    return first(codes)


def measured_anything(summary: RunSummary) -> bool:
    """Timed or counted; the floor and native loops count, too."""
    return any(
        arm.status == "ok"
        for benchmark in summary.benchmarks
        for arm in (*benchmark.arms, *benchmark.natives, benchmark.floor)
        if arm is not None
    )


def write_all(
    found: Reading, chosen: Sequence[str], out: Path | None, arms: Sequence[str], open_it: bool
) -> list[str]:
    """Returns what the formats of other tools have no place for."""
    summaries = found.summaries
    base = base_of(summaries[0])
    left_out = []
    images = [name for name in chosen if name in IMAGES]
    if images:
        write_plots(summaries, images, out or base.with_name(f"{base.name}-plots"))
    for name in chosen:
        file = target(name, chosen, out, base)
        if name in exports.FORMATS:
            made = exports.export(*found.files[0], name, arms)
            write_text(name, made.text, file)
            left_out += [f"left out of {name}: {line}" for line in made.left_out]
        elif name not in IMAGES:
            page = write_document(found, name, file)
            if open_it and page is not None:
                click.launch(str(page.absolute()))
    return left_out


def base_of(summary: RunSummary) -> Path:
    """The run file's place and name, to which endings are added."""
    path = Path(summary.path)
    return path.with_name(stem(path))


def target(name: str, chosen: Sequence[str], out: Path | None, base: Path) -> Path | None:
    """The file to write; None for standard output."""
    ending = ENDINGS.get(name, f".{name}")
    if out is None:
        return base.with_name(f"{base.name}{ending}") if name == "html" else None
    return out / f"{base.name}{ending}" if len(chosen) > 1 or out.is_dir() else out


def write_document(found: Reading, name: str, file: Path | None) -> Path | None:
    from loopgauge import reports

    summaries = found.summaries
    if name == "html":
        assert file is not None
        reports.render(summaries, file, missing=found.problems + found.left_out)
        say(name, file)
        return file
    text = reports.markdown(summaries) if name == "md" else reports.csv_text(summaries)
    write_text(name, text, file)
    return None


def write_text(name: str, text: str, file: Path | None) -> None:
    if file is None:
        click.echo(text, nl=False)
        return
    from loopgauge.harness.cli.output import write_whole

    write_whole(file, text)
    say(name, file)


def say(name: str, file: Path) -> None:
    from loopgauge.harness.cli.runs import shown

    click.echo(f"{name}: {shown(file)}", err=True)


def write_plots(summaries: Sequence[RunSummary], images: Sequence[str], folder: Path) -> None:
    from loopgauge import reports
    from loopgauge.harness.cli.runs import shown

    made = reports.write_images(summaries, folder, images)
    click.echo(f"{' and '.join(images)}: {len(made)} files in {shown(folder)}/", err=True)
