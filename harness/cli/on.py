"""`--on` and what goes with it, for every command whose work may run on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host
    from loopgauge.harness.fleet.place import Place

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)

HELP = """\b
Other machines (--on):
  dask://HOST:PORT  the workers of a Dask scheduler that runs there; start them
                    with --nthreads 1 --resources "loopgauge=1"
  local:N           N workers on this machine, for trying it out
"""

_OPTIONS = (
    click.option(
        "--on",
        metavar="dask://HOST:PORT|local:N",
        help="Do it on the hosts of this Dask cluster (see below).",
    ),
    click.option(
        "--wheel",
        "wheels",
        multiple=True,
        metavar="FILE|NAME==VERSION",
        help="With --on: install this wheel on the hosts, or this from the index (repeat).",
    ),
    click.option(
        "--index",
        metavar="URL",
        help="With --on: where the hosts find what the wheels need.",
    ),
    click.option(
        "--tls-ca", type=EXISTING, metavar="FILE", help="With --on: the CA's certificate."
    ),
    click.option("--tls-cert", type=EXISTING, metavar="FILE", help="With --on: our certificate."),
    click.option("--tls-key", type=EXISTING, metavar="FILE", help="With --on: its key."),
    click.option(
        "--unfit", is_flag=True, help="With --on: use hosts that doctor calls unfit, too."
    ),
)


def on_options(command: Command) -> Command:
    """Adds the options. The command takes them as `**elsewhere`, for `place_from`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def place_from(
    *,
    on: str | None,
    wheels: tuple[str, ...],
    index: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    unfit: bool,
) -> Place | None:
    """None without `--on`. Raises BadPlace, or UsageError for an option that needs it."""
    from loopgauge.harness.fleet.place import place_of

    if index and not wheels:
        raise click.UsageError("--index is where --wheel comes from, and none is given.")
    if on is None:
        given = {"--wheel": wheels, "--index": index, "--tls-ca": tls_ca, "--tls-cert": tls_cert,
                 "--tls-key": tls_key, "--unfit": unfit}  # fmt: skip
        for name, value in given.items():
            if value:
                raise click.UsageError(f"{name} is about other machines, and needs --on.")
        return None
    return place_of(
        on,
        wheels=wheels,
        index=index or "",
        tls_ca=tls_ca or "",
        tls_cert=tls_cert or "",
        tls_key=tls_key or "",
        unfit=unfit,
    )


@contextmanager
def fleet(place: Place, told: Callable[[str], None] | None = None) -> Iterator[Fleet]:
    """An open fleet; who takes part and who does not is shown on stderr. `told` gets later news,
    from other threads; by default they are lines on stderr, too."""
    from loopgauge.harness.fleet.fleet import open_fleet

    with open_fleet(place, told or say) as opened:
        for host in opened.hosts:
            say(f"on {described(host)}")
        for one in opened.left_out:
            say(f"left out: {one.name} {one.reason}." + (f" {one.cure}." if one.cure else ""))
        yield opened


def names(fleet: Fleet) -> dict[str, str]:
    """What the user calls the hosts, by the keys that stand for them in files; also those that are
    left out."""
    from loopgauge.harness.fleet.register import name_hash

    left_out = {name_hash(one.name): one.name for one in fleet.left_out}
    return {**left_out, **{host.key: host.name for host in fleet.hosts}}


def described(host: Host) -> str:
    """One line: what its name, machine and Python are."""
    python = host.facts.interpreter
    threads = "t" if python.free_threaded else ""
    workers = f", {len(host.workers)} workers" if len(host.workers) > 1 else ""
    return (
        f"{host.name}: {host.facts.machine.cpu_model}, Linux {host.facts.machine.kernel}, "
        f"Python {python.version}{threads}{workers}"
    )


def say(line: str) -> None:
    click.echo(printable(line), err=True)


def printable(text: str) -> str:
    """What other machines say of themselves must not steer a terminal."""
    return "".join(filter(str.isprintable, text))
