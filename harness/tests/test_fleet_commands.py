"""A command that uses a fleet, as a process: interrupted, killed, and with workers of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleet_testing import Cluster, environment, is_running, wait_until

from loopgauge.harness.errors import BadWheel, NoHost
from loopgauge.harness.fleet.fleet import open_fleet
from loopgauge.harness.fleet.place import place_of

COMMAND = """
    import sys
    from loopgauge.harness.cli.errors import termination_as_interrupt
    from loopgauge.harness.fleet.fleet import open_fleet
    from loopgauge.harness.fleet.place import place_of

    if __name__ == "__main__":
        try:
            with termination_as_interrupt(), open_fleet(place_of(sys.argv[1])) as fleet:
                fleet.call(
                    fleet.hosts[0], "fleet_calls:wait_for", sys.argv[2].encode(), exclusive=True
                )
        except KeyboardInterrupt:
            sys.exit(130)
"""


@contextmanager
def command(on: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """In the middle of a call, in a process group of its own as in a terminal."""
    program = folder / "command.py"
    program.write_text(textwrap.dedent(COMMAND))
    process = subprocess.Popen(
        [sys.executable, "-P", str(program), on, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({}, folder),
        process_group=0,
    )
    try:
        wait_until(lambda: bool(list(folder.glob("began-*[0-9]"))) or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.communicate()


def pids(folder: Path) -> list[int]:
    """Agent, worker, and what the call has started."""
    (told,) = folder.glob("began-*[0-9]")
    return [int(word) for word in told.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_ends_takes_its_call_along_and_leaves_the_worker(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    with command(cluster.on, tmp_path) as process:
        agent, worker, child = pids(tmp_path)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert (output, errors) == ("", "")
    wait_until(lambda: not is_running(agent) and not is_running(child))
    assert is_running(worker)
    with open_fleet(place_of(cluster.on)) as fleet:  # the lock of the machine is free again
        assert fleet.call(fleet.hosts[0], "fleet_calls:echo", b"x", exclusive=True) == b"x"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_local_workers_end_with_their_command(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C reaches every process of the terminal's group, the workers too: no word of theirs."""
    with command("local:1", tmp_path) as process:
        everybody = pids(tmp_path)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
            output, errors = process.communicate(timeout=60)
            assert (process.returncode, output, errors) == (130, "", "")
        else:
            process.kill()
        wait_until(lambda: not any(map(is_running, everybody)))


def test_what_is_no_wheel_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    with pytest.raises(BadWheel), open_fleet(place_of("dask://127.0.0.1:1", wheels=[broken])):
        pass


def test_a_worker_with_other_sources_is_left_out_with_the_cure(
    empty_cluster: Cluster, tmp_path: Path
) -> None:
    import loopgauge

    other = tmp_path / "other" / "loopgauge"
    other.mkdir(parents=True)
    for entry in Path(str(loopgauge.__file__)).parent.iterdir():
        (other / entry.name).symlink_to(entry)
    scenarios = (other / "scenarios").resolve()
    (other / "scenarios").unlink()
    (other / "scenarios").mkdir()
    for entry in scenarios.iterdir():
        (other / "scenarios" / entry.name).symlink_to(entry)
    (other / "scenarios/another.py").write_text("VALUE = 1\n")
    empty_cluster.start_worker("elsewhere", variables={"PYTHONPATH": str(other.parent)})
    with (
        pytest.raises(NoHost, match="elsewhere has other sources of loopgauge") as caught,
        open_fleet(place_of(empty_cluster.on)),
    ):
        pass
    assert "--wheel" in caught.value.cure
