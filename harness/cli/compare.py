"""`bench compare`: two results, or two loops of one, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.comparison.model import Comparison
    from loopgauge.harness.store import RunFile

JSON_SCHEMA = 1

EPILOG = """\b
Examples:
  bench compare latest~1 latest
  bench compare OLD.jsonl NEW.jsonl --arm epoll --margin 3
  bench compare latest --base asyncio --head uvloop
  bench compare old.json new.json --markdown comparison.md
  bench compare .bench/conformance/OLD.jsonl .bench/conformance/NEW.jsonl

\b
A result is a run file, `latest`, `latest~1`, or JSON of pyperf or Google
Benchmark; or, both of them, a result of `bench conformance`. Loops are
compared by name: two versions of one are the point.

\b
Two runs did not take turns. What is compared is each loop's ratio to stock
asyncio inside its own run, so that the drift of the machine cancels, and a
change counts from 2 % on. Without a common control costs are compared as they
are (raw), and a change counts from 10 % on. Two loops of one run took turns:
--base and --head are stronger. The strongest is `bench gate`.

\b
Verdicts:
  REGRESSED     worse: the whole interval lies beyond the margin
  IMPROVED      better: likewise
  EQUIVALENT    the whole interval lies within the margin
  INCONCLUSIVE  none of these: no pass, and no fail
  BROKEN        base had a figure; head crashed, hung or was wrong
  REPAIRED      the other way round

\b
Exit codes:
  0    nothing became worse
  1    something regressed, or is broken
  2    usage: an option or a name is wrong
  3    something is inconclusive, or the self-check failed
  4    nothing in common, or another machine, kernel or Python (see --force)
  5    a conformance rule that was kept is broken
  6    something is in one of the results only
  7    a result file cannot be read
  8    environment: the output cannot be written
  70   a bug in bench
  130  interrupted (Ctrl-C); 143 terminated

\b
--json prints one object: schema, kind ("comparison"), exit_code, base, head,
margin, raw_margin, control, compared (benchmark, loop, tier, metric, unit, basis, verdict,
reason, change, low, high, margin, superiority, p, base, head, base_n, head_n,
by_name), controls, twins, mismatches, forced, advisory, self_check, only_base,
only_head, left_out, notes, method. A change of 0.02 is a cost that is 2 %
higher. Members are added, never removed.
"""


@click.command(epilog=EPILOG)
@click.argument("results", nargs=-1, required=True, metavar="BASE [HEAD]")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="LOOP",
    help="Compare this loop only (repeat). Default: all that both hold.",
)
@click.option("--base", metavar="LOOP", help="Within one run: the loop to compare with.")
@click.option("--head", metavar="LOOP", help="Within one run: the loop that is compared.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    metavar="PERCENT",
    help="Smaller changes of a time do not count. Default: 2, or 10 where there is no control.",
)
@click.option("--force", is_flag=True, help="Compare in spite of another machine or Python.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON (see below).")
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write a table for a pull request; - for standard output alone.",
)
def compare(
    results: tuple[str, ...],
    arms: tuple[str, ...],
    base: str | None,
    head: str | None,
    margin: float | None,
    force: bool,
    as_json: bool,
    markdown: Path | None,
) -> None:
    """Compare two results: what became slower, faster, or broke.

    BASE is the old result, HEAD the new one. With --base and --head two loops
    of one result are compared.
    """
    from loopgauge.harness.cli import matrix

    within = base is not None or head is not None
    require_names(results, within, base, head, arms)
    if as_json and str(markdown) == "-":
        raise click.UsageError("Standard output takes --json or --markdown -, not both.")
    if not within and matrix.are_verdicts(results):
        from loopgauge.harness.cli.compare_promises import compare_promises

        if arms or force or markdown:
            raise click.UsageError("Of conformance results, --json is the only option.")
        click.get_current_context().exit(compare_promises(results, as_json=as_json))
    share = None if margin is None else margin / 100
    found, problems = compared(results, arms, base or "", head or "", share, force)
    code = exit_code(found, problems)
    show(found, code, as_json=as_json, markdown=markdown)
    for problem in problems:
        click.echo(f"error: {problem}.", err=True)
    click.get_current_context().exit(code)


def require_names(
    results: Sequence[str], within: bool, base: str | None, head: str | None, arms: Sequence[str]
) -> None:
    if within and (base is None or head is None or len(results) != 1 or arms):
        raise click.UsageError("--base and --head go together, with one result and no --arm.")
    if not within and len(results) == 1:
        raise click.UsageError("One result needs --base LOOP and --head LOOP; or give two.")
    if len(results) > 2:
        raise click.UsageError("Two results are compared, the old one and the new one.")


def refuse_fleet(path: Path) -> None:
    from loopgauge.harness.fleet.folder import is_fleet

    if is_fleet(path):
        raise click.UsageError(
            f"{path} is a run on a fleet, and a host is compared with itself: give two hosts' own "
            "files, such as FLEET/HOST.jsonl. What its hosts say together: bench report FLEET"
        )


def compared(
    names: Sequence[str],
    arms: Sequence[str],
    base: str,
    head: str,
    margin: float | None,
    force: bool,
) -> tuple[Comparison, list[str]]:
    """And what is wrong with the files, of which whatever is whole is compared."""
    from loopgauge.harness.cli.runs import find_run
    from loopgauge.harness.comparison import runs as comparing
    from loopgauge.harness.formats import read_any_whole
    from loopgauge.harness.verdicts import read_verdicts

    verdicts = read_verdicts()
    runs, problems = [], []
    for path in map(find_run, names):
        refuse_fleet(path)
        run, problem = read_any_whole(path)
        runs.append(run)
        if problem:
            problems.append(f"{problem}, and those are compared")
    require_loops(runs, (*arms, *filter(None, (base, head))))
    if len(runs) == 1:
        found = comparing.compare_arms(runs[0], base, head, margin, force=force, verdicts=verdicts)
        return found, problems
    if runs[0].path.resolve() == runs[1].path.resolve():
        raise click.UsageError(
            f"Both are {runs[0].path}; two of its loops are compared with --base and --head."
        )
    found = comparing.compare_runs(runs[0], runs[1], arms, margin, force=force, verdicts=verdicts)
    return found, problems


def require_loops(runs: Sequence[RunFile], words: Sequence[str]) -> None:
    from loopgauge.harness.cli.errors import did_you_mean

    arms = [arm for run in runs for arm in run.header.arms]
    known = list(dict.fromkeys(word for arm in arms for word in (arm.label, arm.loop)))
    versioned = {f"{arm.loop}@{arm.python}" for arm in arms}
    for word in words:
        if word not in known and word not in versioned:
            hint = did_you_mean(word, known) or f"There is {', '.join(known)}."
            raise click.UsageError(f"No loop {word!r} in {' or '.join(names_of(runs))}. {hint}")


def names_of(runs: Sequence[RunFile]) -> list[str]:
    from loopgauge.harness.cli.runs import shown

    return [shown(run.path) for run in runs]


def exit_code(found: Comparison, problems: Sequence[str] = ()) -> ExitCode:
    """Advisory times neither pass nor fail."""
    from loopgauge.harness import exit_codes
    from loopgauge.harness.comparison.model import FAILING

    codes = {ExitCode.UNREADABLE} if problems else set()
    for one in found.compared:
        unsure = found.advisory and one.tier == "timing" and one.verdict != "BROKEN"
        if one.verdict == "INCONCLUSIVE" or unsure:
            codes.add(ExitCode.INCONCLUSIVE)
        elif one.verdict in FAILING:
            codes.add(ExitCode.REGRESSION)
    if not found.compared:
        codes.add(ExitCode.NOTHING_MEASURED)
    if found.only_base or found.only_head or found.left_out:
        codes.add(ExitCode.LEFT_OUT)
    return exit_codes.first(codes)


def show(found: Comparison, code: ExitCode, *, as_json: bool, markdown: Path | None) -> None:
    from loopgauge.harness.cli.output import print_json

    text = ""
    if markdown is not None:
        from loopgauge.reports.exports.comparison import comparison_markdown

        text = comparison_markdown(found)
    if as_json:
        print_json(as_object(found, code))
    elif str(markdown) == "-":
        click.echo(text, nl=False)
    else:
        from loopgauge.harness.cli.comparison_table import print_comparison
        from loopgauge.harness.cli.console import stdout_console

        print_comparison(found, stdout_console())
    if markdown is not None and str(markdown) != "-":
        from loopgauge.harness.cli.runs import shown

        markdown.parent.mkdir(parents=True, exist_ok=True)
        markdown.write_text(text, encoding="utf-8")
        click.echo(f"md: {shown(markdown)}", err=True)


def as_object(found: Comparison, code: ExitCode) -> dict[str, Any]:
    import msgspec

    envelope = {"schema": JSON_SCHEMA, "kind": "comparison", "exit_code": int(code)}
    return {**envelope, **msgspec.to_builtins(found)}
