"""`bench history`: trends over stored runs, and where they changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli import exit_codes
from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.history.model import History, Query

STORE = Path(".bench/history.sqlite")
STORE_VARIABLE = "LOOPGAUGE_STORE"
EVERYTHING = [Path(".bench", name) for name in ("runs", "fleets", "gates")]
LAST = 20  # points of a trend
APPEND = "loopgauge_append"
READ = "loopgauge_read"
STEPS_LAST = 200  # points in which steps are looked for

EPILOG = f"""\b
Examples:
  bench history import --all
  bench history sleep0 --loop epoll
  bench history 'call_soon_*' --metric instructions --last 50
  bench history steps --machine all
  bench history export --format csv --out history.csv

\b
Trends are for people: no command here fails because a figure became worse.
The check of a change is `bench gate`, which measures both sides at once.

{exit_codes.HELP}"""


class HistoryGroup(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no subcommand is meant for `show`: `bench history sleep0`."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


def store_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--wait",
            type=click.FloatRange(min=0),
            default=10.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for another process that holds the store.",
        ),
        click.option(
            "--store",
            default=str(STORE),
            show_default=True,
            envvar=STORE_VARIABLE,
            show_envvar=True,
            metavar="FILE|URL",
            help="The store: an SQLite file, or postgresql://USER@HOST/DATABASE.",
        ),
    ):
        function = option(function)
    return function


def query_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--machine",
            "machines",
            multiple=True,
            metavar="KEY|TEXT|all",
            help="On this kind of machine (repeat). Default: the one that measured last.",
        ),
        click.option(
            "--metric",
            "metrics",
            multiple=True,
            metavar="NAME|all",
            help="ratio (to stock asyncio, the default), cost, instructions, ... (repeat).",
        ),
        click.option(
            "--loop", "loops", multiple=True, metavar="NAME|GLOB", help="Of this loop (repeat)."
        ),
        click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK | GLOB]..."),
    ):
        function = option(function)
    return function


@click.group(cls=HistoryGroup, epilog=EPILOG)
def history() -> None:
    """Show trends over stored runs: `bench history [BENCHMARK]...`

    A store keeps a summary of each run, from one machine or from many. Runs
    get there by `bench history import`. Figures of different CPUs, kernels
    and Pythons are never put into one line.
    """


@history.command(
    epilog=f"""\b
Examples:
  bench history init --store postgresql://owner@server/loopgauge

\b
Two roles of the database are made, or used if they are there; its owner grants
them: GRANT {APPEND} TO runner. Who has {APPEND} may import, and can
neither change nor delete what is stored. Who has {READ} may look.
A password comes from PGPASSWORD or ~/.pgpass, and is never shown.

\b
--json prints one object: schema, kind ("history-init"), exit_code, store,
before and now (schemas; before is 0 where there was nothing), roles, missing
(roles that could not be made). Members are added, never removed.

{exit_codes.HELP}"""
)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def init(store: str, wait: float, as_json: bool) -> None:
    """Make a store, or bring one up to date. Its owner does this, once a version.

    An SQLite file needs none of it: whoever opens it does it.
    """
    from loopgauge.harness.cli.history_init import print_made
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.history.opening import init_store, shown

    made, name = init_store(store, wait), shown(store)
    exit_code = ExitCode.LEFT_OUT if made.missing else ExitCode.OK
    if as_json:
        head = {"schema": 1, "kind": "history-init", "exit_code": exit_code, "store": name}
        print_json({**head, **made.as_dict()})
    else:
        print_made(made, name)
    click.get_current_context().exit(exit_code)


@history.command(
    epilog=f"""\b
Examples:
  bench history
  bench history throughput --loop epoll --last 50
  bench history show import        # a benchmark that is called like a command

\b
--json prints one object: schema, kind ("history-trends"), other_machines,
series (benchmark, loop, metric, against, unit, direction, machine, points).
A point has run, created, arm, value, low, high (95 %), processes, version,
build, commit, status, advisory, complete. Members are added, never removed.

{exit_codes.HELP}"""
)
@query_options
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=LAST,
    show_default=True,
    metavar="N",
    help="As many runs of each line.",
)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def show(
    benchmarks: tuple[str, ...],
    loops: tuple[str, ...],
    metrics: tuple[str, ...],
    machines: tuple[str, ...],
    last: int,
    store: str,
    wait: float,
    as_json: bool,
) -> None:
    """Show the trend of each benchmark and loop. The default command."""
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.history_shown import print_trends
    from loopgauge.harness.cli.output import print_json

    with opened(store, wait) as kept:
        query, others = make_query(kept, benchmarks, loops, metrics, machines, last)
        series = kept.series(query)
    if as_json:
        print_json(
            {"schema": 1, "kind": "history-trends", "other_machines": others, "series": series}
        )
    else:
        print_trends(series, others, stdout_console())


@history.command(
    "import",
    epilog=f"""\b
Examples:
  bench history import --all
  bench history import .bench/runs/RUN.jsonl --commit "$(git rev-parse HEAD)"
  bench history import machine-a/ machine-b/ --store /srv/history.sqlite
  bench history import .bench/fleets --store postgresql://me@server/loopgauge

\b
A FOLDER is searched for run files, fleets and gates. A run that is there
already is not stored twice; of one that was resumed since, the new figures
are shown.

\b
--json prints one object: schema, kind ("history-import"), exit_code, store,
runs (how many were added, known, grown, differs), problems.

{exit_codes.HELP}""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE | FOLDER]...")
@click.option(
    "--all", "everything", is_flag=True, help="All of .bench/runs, .bench/fleets and .bench/gates."
)
@click.option(
    "--commit",
    default="",
    metavar="REVISION",
    help="The revision that was measured. The sides of a gate know their own.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Read as many files at once. Default: one per CPU.",
)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def import_(
    paths: tuple[Path, ...],
    everything: bool,
    commit: str,
    jobs: int | None,
    store: str,
    wait: float,
    as_json: bool,
) -> None:
    """Put runs into the store. A file is made if there is none."""
    from loopgauge.harness.cli.history_import import import_into, print_imported
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.history.opening import shown

    if everything == bool(paths):
        raise click.UsageError("Name files or folders, or give --all.")
    chosen = [path for path in EVERYTHING if path.exists()]
    with opened(store, wait, create=True) as kept:
        cpus = len(os.sched_getaffinity(0))
        done = import_into(kept, chosen if everything else paths, commit, jobs or cpus)
    name = shown(store)
    if as_json:
        print_json({"schema": 1, "kind": "history-import", "store": name, **done.as_dict()})
    else:
        print_imported(done, name)
    click.get_current_context().exit(done.exit_code)


@history.command(
    epilog=f"""\b
Examples:
  bench history steps
  bench history steps sleep0 --loop epoll --last 500
  bench history steps --metric instructions --margin 0.1

\b
A step is a place where the ranks before and after differ more than in all but
a few random orders of the same runs. --alpha is the chance of one false step
or more among everything that was asked about.

\b
--json prints one object: schema, kind ("history-steps"), other_machines,
search (method, series, too_short, alpha, level, margin, least, orders, seed,
steps). A step has series, at (the first run of the new level), last_before,
change, low, high, shift, worse, p, before, after. Members are added, never
removed.

{exit_codes.HELP}"""
)
@query_options
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=STEPS_LAST,
    show_default=True,
    metavar="N",
    help="Look at as many runs of each line.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Chance of a false step.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="Smaller steps are not shown.",
)
@click.option(
    "--least",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    metavar="N",
    help="Runs that a level lasts at least.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def steps(
    benchmarks: tuple[str, ...],
    loops: tuple[str, ...],
    metrics: tuple[str, ...],
    machines: tuple[str, ...],
    last: int,
    alpha: float,
    margin: float,
    least: int,
    seed: int,
    store: str,
    wait: float,
    as_json: bool,
) -> None:
    """Say at which run a trend changed its level, by how much, and how sure that is."""
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.history_shown import print_steps
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.history.steps import search

    with opened(store, wait) as kept:
        query, others = make_query(kept, benchmarks, loops, metrics, machines, last)
        found = search(kept.series(query), alpha=alpha, margin=margin / 100, least=least, seed=seed)
    if as_json:
        print_json(
            {"schema": 1, "kind": "history-steps", "other_machines": others, "search": found}
        )
    else:
        print_steps(found, others, stdout_console())


@history.command(
    epilog=f"""\b
Examples:
  bench history machines
  bench history machines --json --store central.sqlite

\b
--json prints one object: schema, kind ("history-machines"), machines (key,
machine, runs, first, last). Members are added, never removed.

{exit_codes.HELP}"""
)
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def machines(store: str, wait: float, as_json: bool) -> None:
    """Show the kinds of machines there are figures of, newest first."""
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.history_shown import print_machines
    from loopgauge.harness.cli.output import print_json

    with opened(store, wait) as kept:
        rows = kept.machines()
    if as_json:
        items = [
            {"key": one.machine.key, "machine": one.machine, "runs": one.runs,
             "first": one.first, "last": one.last}
            for one in rows
        ]  # fmt: skip
        print_json({"schema": 1, "kind": "history-machines", "machines": items})
    else:
        print_machines(rows, stdout_console())


@history.command(
    epilog=f"""\b
Examples:
  bench history export > history.csv
  bench history export sleep0 --format json --out sleep0.json

\b
One point a row, of all machines and metrics unless told. JSON is one object:
schema, kind ("history"), points. Columns are added, never removed.

{exit_codes.HELP}"""
)
@query_options
@click.option(
    "--format", "kind", type=click.Choice(["csv", "json"]), default="csv", show_default=True
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to. Default: standard output.",
)
@store_options
def export(
    benchmarks: tuple[str, ...],
    loops: tuple[str, ...],
    metrics: tuple[str, ...],
    machines: tuple[str, ...],
    kind: str,
    out: Path | None,
    store: str,
    wait: float,
) -> None:
    """Write the points as CSV or JSON."""
    from loopgauge.harness.history.export import write

    with opened(store, wait) as kept:
        everywhere = machines or ("all",)
        query, _ = make_query(kept, benchmarks, loops, metrics or ("all",), everywhere, None)
        if out is None:
            write(kind, kept.rows(query), sys.stdout)
            return
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", encoding="utf-8", newline="") as file:
            count = write(kind, kept.rows(query), file)
    click.echo(f"{kind}: {count} points in {out}", err=True)


def opened(store: str, wait: float, *, create: bool = False) -> Any:
    from contextlib import closing

    from loopgauge.harness.history.opening import open_store

    return closing(open_store(store, create=create, wait_s=wait))


def make_query(
    kept: History,
    benchmarks: tuple[str, ...],
    loops: tuple[str, ...],
    metrics: tuple[str, ...],
    machines: tuple[str, ...],
    last: int | None,
) -> tuple[Query, int]:
    """And how many kinds of machines it leaves out. A query that nothing fits is refused."""
    from loopgauge.harness.history.model import RATIO, Query

    if not kept.machines():
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            "the history has no runs yet",
            "Fill it from yours: bench history import --all",
        )
    query = Query(
        benchmarks=list(benchmarks),
        loops=list(loops),
        metrics=[] if "all" in metrics else list(metrics) or [RATIO],
        machines=[] if "all" in machines else list(machines),
        last=last,
    )
    if benchmarks or loops or query.metrics != [RATIO] or query.machines:
        require_names(kept, query)
    having = kept.machines(query)
    if not having:
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            "nothing in the history is all of what was asked for",
            "Ask with --machine all or --metric all, or for fewer things at once",
        )
    if not machines:
        query.machines = [having[0].machine.key]
        return query, len(having) - 1
    return query, 0


def require_names(kept: History, query: Query) -> None:
    """Each word has to fit something by itself."""
    from loopgauge.harness.history.matching import benchmark_names, fits_any, machine_matches

    there = kept.names()
    names = {
        "benchmark": (query.benchmarks, [benchmark_names(name) for name in there.benchmarks]),
        "loop": (query.loops, [[name] for name in there.loops]),
        "metric": (query.metrics, [[name] for name in there.metrics]),
    }
    for what, (patterns, candidates) in names.items():
        for pattern in patterns:
            if not any(fits_any([pattern], names) for names in candidates):
                known = {name for names in candidates for name in names}
                hint = did_you_mean(pattern, known) or f"There are: {some(known)}"
                raise Problem(
                    ExitCode.USAGE, f"no {what} of the history is called {pattern!r}", hint
                )
    everywhere = [row.machine for row in kept.machines()] if query.machines else []
    for pattern in query.machines:
        if not any(machine_matches([pattern], machine) for machine in everywhere):
            raise Problem(
                ExitCode.USAGE,
                f"the history knows no machine {pattern!r}",
                "`bench history machines` names them",
            )


def some(names: set[str], limit: int = 12) -> str:
    listed = sorted(names)
    more = ", ..." if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
