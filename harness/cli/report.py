"""`bench report`: result files in, a report out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli import exit_codes, exports
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
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
  bench report --diff OLD.jsonl NEW.jsonl

\b
Results of `bench conformance`, of several Pythons at best, make a folder with
the matrix of loops and rules and a page per case: --out, or one beside the
first file. --diff compares two of them and ends with 5 if something
that conformed fails now.

\b
pyperf and google-benchmark are files of those tools, with one value per
process; github-action-benchmark is that action's customSmallerIsBetter (and
...-bigger its customBiggerIsBetter), bencher the Bencher Metric Format. They
take one run. Names are BENCHMARK/ARM; with one --arm they are BENCHMARK, so
that `pyperf compare_to` can compare the files of two loops. What a format
cannot express is named, with exit code 6.

\b
RUN may be a file of pyperf or Google Benchmark, too.

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
@click.option("--open", "open_it", is_flag=True, help="Show the HTML page in the browser.")
def report(
    runs: tuple[str, ...],
    formats: tuple[str, ...],
    out: Path | None,
    arms: tuple[str, ...],
    diff: bool,
    open_it: bool,
) -> None:
    """Make a report from result files.

    RUN is a run file, `latest`, or `latest~1` for the one before it; or a
    result of `bench conformance`.
    """
    from loopgauge.harness.cli import matrix

    chosen = tuple(dict.fromkeys(formats)) or ("html",)
    if matrix.are_verdicts(runs):
        if chosen != ("html",):
            raise click.UsageError("Conformance results make html only.")
        paths = [Path(name) for name in runs]
        if diff:
            code = matrix.report_difference(paths, out, open_it=open_it)
            click.get_current_context().exit(code)
        matrix.report(paths, out, open_it=open_it)
        return
    if diff:
        raise click.UsageError("--diff compares two results of `bench conformance`.")
    if open_it and "html" not in chosen:
        raise click.UsageError("--open shows the HTML page; add --format html.")
    foreign = [name for name in chosen if name in exports.FORMATS]
    if foreign and len(runs) > 1:
        raise click.UsageError(f"A file of {foreign[0]} holds one run; give one RUN.")
    if arms and not foreign:
        raise click.UsageError(f"--arm chooses what goes into {', '.join(exports.FORMATS)}.")
    files, problems = read(runs)
    require_other_place(out, [run.path for run, _ in files])
    click.get_current_context().exit(make(files, chosen, out, arms, open_it, problems))


def require_other_place(out: Path | None, sources: Sequence[Path]) -> None:
    if out is not None and any(out.resolve() == source.resolve() for source in sources):
        raise click.UsageError(
            f"--out {out} is the result file itself, which is never overwritten."
        )


def make(
    files: Sequence[tuple[RunFile, RunSummary]],
    chosen: Sequence[str],
    out: Path | None,
    arms: Sequence[str],
    open_it: bool,
    problems: Sequence[str],
) -> ExitCode:
    """Writes every format, and says what became of it."""
    summaries = [summary for _, summary in files]
    base = Path(summaries[0].path).with_suffix("")
    left_out = []
    images = [name for name in chosen if name in IMAGES]
    if images:
        write_plots(summaries, images, out or base.with_name(f"{base.name}-plots"))
    for name in chosen:
        file = target(name, chosen, out, base)
        if name in exports.FORMATS:
            made = exports.export(*files[0], name, arms)
            write_text(name, made.text, file)
            left_out += [f"left out of {name}: {line}" for line in made.left_out]
        elif name not in IMAGES:
            page = write_document(summaries, name, file)
            if open_it and page is not None:
                click.launch(str(page.absolute()))
    for line in left_out:
        click.echo(f"{line}.", err=True)
    for problem in problems:
        click.echo(f"error: {problem}.", err=True)
    if problems:
        return ExitCode.UNREADABLE
    return ExitCode.LEFT_OUT if left_out else ExitCode.OK


def read(names: Sequence[str]) -> tuple[list[tuple[RunFile, RunSummary]], list[str]]:
    """What is whole in each file, and what is wrong with them."""
    from loopgauge.harness.cli.runs import find_run
    from loopgauge.harness.formats import read_any_whole
    from loopgauge.harness.summary import summarise
    from loopgauge.harness.verdicts import read_verdicts

    verdicts = read_verdicts()
    files, problems = [], []
    for name in names:
        run, problem = read_any_whole(find_run(name))
        files.append((run, summarise(run, verdicts=verdicts)))
        if problem:
            problems.append(
                f"{problem}, and the report shows those. Go on with: bench run --resume {run.path}"
            )
    return files, problems


def target(name: str, chosen: Sequence[str], out: Path | None, base: Path) -> Path | None:
    """The file to write; None for standard output."""
    ending = ENDINGS.get(name, f".{name}")
    if out is None:
        return base.with_suffix(ending) if name == "html" else None
    return out / f"{base.name}{ending}" if len(chosen) > 1 or out.is_dir() else out


def write_document(summaries: Sequence[RunSummary], name: str, file: Path | None) -> Path | None:
    from loopgauge import reports

    if name == "html":
        assert file is not None
        reports.render(summaries, file)
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
