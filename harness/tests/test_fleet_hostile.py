"""Workers that were taken over: what they send is refused and named, and the others' work goes on.

One cluster has an honest worker and one for each lie. A liar also lies about its machine's boot id,
so that it is a host of its own: for another's it would have to know that one's boot id, which is in
no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fleet_testing import Cluster

from loopgauge.harness.cli import main
from loopgauge.harness.errors import FleetError
from loopgauge.harness.fleet import session
from loopgauge.harness.fleet.fleet import Fleet, open_fleet
from loopgauge.harness.fleet.folder import FleetFile, read_fleet
from loopgauge.harness.fleet.hosts import Host
from loopgauge.harness.fleet.model import FleetHost
from loopgauge.harness.fleet.place import place_of
from loopgauge.harness.request import RunRequest

PRELOAD = Path(__file__).parent / "hostile_testing/worker.py"
# What the run says of whom; the rest of the sentence is the decoder's.
REFUSED = {
    "pickle": "its answer",
    "error": "its answer",
    "huge": "1024 MiB",
    "garbage": "makes no sense",
    "words": "<script>",
    "others": "io.tcp_echo on <script>",
}
LIES = [*REFUSED, "markup"]
SLEEP0 = "throughput.sleep0"


@pytest.fixture(scope="module")
def harm(tmp_path_factory) -> Path:
    """Where whoever opens a liar's pickle leaves its number."""
    return tmp_path_factory.mktemp("harm") / "opened-by"


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory, harm) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("hostile"))
    try:
        made.start_scheduler()
        made.start_worker("honest")
        for lie in LIES:
            variables = {"LOOPGAUGE_TEST_LIE": lie, "LOOPGAUGE_TEST_HARM": str(harm)}
            made.start_worker(lie, "--preload", str(PRELOAD), variables=variables)
        made.ready(1 + len(LIES))
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def fleet(taken_over: Cluster) -> Iterator[Fleet]:
    with open_fleet(place_of(taken_over.on)) as opened:
        yield opened


@pytest.fixture(scope="module")
def run(fleet: Fleet, harm: Path, tmp_path_factory) -> FleetFile:
    """Of one benchmark, by all of them at once."""
    request = RunRequest(
        benchmarks=[(SLEEP0, {})],
        arms=["asyncio"],
        setting="quick",
        rounds=2,
        seed=1,
        out=tmp_path_factory.mktemp("run") / "out",
    )
    return read_fleet(session.run(request, fleet, lambda name, news: None))


def named(fleet: Fleet, name: str) -> Host:
    return next(host for host in fleet.hosts if host.name == name)


def outcome(run: FleetFile, fleet: Fleet, name: str) -> FleetHost:
    return run.hosts[named(fleet, name).key]


def test_every_worker_is_a_host_by_what_it_says(fleet):
    assert fleet.left_out == []
    assert {host.name for host in fleet.hosts} == {"honest", *LIES}
    assert len({host.key for host in fleet.hosts}) == 1 + len(LIES)


def test_an_honest_host_among_liars_is_measured_to_the_end(run, fleet):
    assert outcome(run, fleet, "honest").state == "done"
    samples = run.runs[named(fleet, "honest").key].samples
    assert {sample.benchmark for sample in samples} == {SLEEP0}
    assert {sample.arm for sample in samples} == {"asyncio", "asyncio~aa"}


@pytest.mark.parametrize("lie", REFUSED)
def test_a_liar_s_run_ends_with_the_reason(run, fleet, lie):
    found = outcome(run, fleet, lie)
    assert found.state == "lost"
    assert REFUSED[lie] in found.reason
    assert found.key not in run.runs


def test_the_page_of_such_a_run_is_one_all_the_same(run, tmp_path):
    page = tmp_path / "fleet.html"
    done = CliRunner().invoke(main, ["report", str(run.path), "--out", str(page)])
    assert done.exit_code in (0, 6), done.output
    assert "\x1b" not in done.output
    text = page.read_text(encoding="utf-8")
    assert "document.title='taken'" not in text
    assert "&lt;script&gt;" in text


def test_no_pickle_of_a_liar_is_opened(run, fleet, harm):
    for lie in ("pickle", "error"):
        with pytest.raises(FleetError, match=lie):
            fleet.call(named(fleet, lie), "fleet_calls:echo", b"there?", exclusive=True)
    assert not harm.exists(), f"opened by process {harm.read_text()}"


def test_the_same_pickles_do_harm_to_who_opens_them(taken_over, run, fleet, harm):
    """Dask's own client does."""
    from distributed import Client

    with Client(taken_over.on.replace("dask://", "tcp://"), set_as_default=False) as client:
        address = named(fleet, "pickle").workers
        client.submit(pow, 2, 10, workers=address, pure=False).result(timeout=60)
    assert harm.exists()
    harm.unlink()


def test_all_that_is_written_is_of_whom_was_asked(run, fleet):
    files = {path.name for path in run.path.iterdir()}
    assert files <= {"fleet.jsonl", *(f"{host.key}.jsonl" for host in fleet.hosts)}
    for path in run.path.iterdir():
        assert "\\u001b" not in path.read_text(encoding="utf-8"), path
