"""The load generator as a worker hands it to scenarios, and the cores they share out."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import spare_cpu
from loopgauge.harness.worker.arms import close_arms, make_arms
from loopgauge.harness.worker.engine import load_engine
from loopgauge.harness.worker.generator import GeneratorGone, WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.job import run_job
from loopgauge.harness.worker.plan import (
    AnyMessage,
    ArmPlan,
    JobPlan,
    Plan,
    Poison,
    Samples,
    Status,
)
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.watchdog import Watchdog
from loopgauge.harness.worker.workload import make_workload
from loopgauge.scenarios.model import CheckFailed, Lacking


@pytest.fixture
def generator() -> Iterator[WorkerGenerator]:
    made = WorkerGenerator()
    yield made
    made.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Accepts in its backlog, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def address_of(listener: socket.socket) -> str:
    return "{}:{}".format(*listener.getsockname())


def test_an_answer_is_there_or_not(generator, listener) -> None:
    number = generator.new_id()
    assert generator.receive() is None
    generator.send("open", id=number, address=address_of(listener), connections=2)
    assert generator.wait().connections == 2
    assert generator.receive() is None


def test_numbers_are_new(generator) -> None:
    assert generator.new_id() != generator.new_id()


def test_answers_to_commands_that_were_given_up_are_dropped(generator, listener) -> None:
    number = generator.new_id()
    generator.send("open", id=number, address=address_of(listener))
    generator.wait()
    generator.send("go", id=number, n=1)  # the listener will never answer
    generator.send("close", id=number)
    assert isinstance(generator.wait(), protocol.Closed)
    generator.send("open", id=generator.new_id(), address=address_of(listener))
    assert generator.wait().connections == 1


def test_what_the_server_does_wrong_is_a_failed_check(generator, listener) -> None:
    number = generator.new_id()
    generator.send("open", id=number, address=address_of(listener))
    generator.wait()
    server, _ = listener.accept()
    server.close()
    generator.send("go", id=number, n=1)
    with pytest.raises(CheckFailed):
        generator.wait()


def test_nobody_there_is_a_failed_check(generator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = address_of(gone)
    generator.send("open", id=generator.new_id(), address=address)
    with pytest.raises(CheckFailed):
        generator.wait()


def test_the_loop_has_a_core_of_its_own_meanwhile(generator) -> None:
    before = os.sched_getaffinity(0)
    spare = spare_cpu()
    with generator.core_for_the_loop():
        inside = os.sched_getaffinity(0)
    assert inside == (before - {spare} if spare is not None else before)
    assert os.sched_getaffinity(0) == before


class Rig:
    """A worker's session with the arms named by their factories."""

    def __init__(self, generator: WorkerGenerator, **factories: str) -> None:
        arms = [ArmPlan(arm=arm, factory=made, capabilities=ALL) for arm, made in factories.items()]
        plan = Plan(schema=1, process=0, seed=0, design="hybrid", arms=arms, jobs=[])
        self.messages: list[AnyMessage] = []
        self.watchdog = Watchdog(plan.hang_timeout)
        self.session = Session(
            plan,
            self.messages.append,
            load_engine(),
            self.watchdog,
            Guard(),
            make_workload,
            generator,
        )
        self.arms = make_arms(self.session)

    def run(self, scenario: str, blocks: list[list[str]], **params: Any) -> None:
        job = JobPlan(
            benchmark=scenario, scenario=scenario, params=params, blocks=blocks, min_time=0.002
        )
        try:
            run_job(self.session, job, self.arms)
            close_arms(self.session, self.arms)
        finally:
            self.watchdog.stop()

    def of_type(self, kind: type) -> dict[str, Any]:
        return {message.arm: message for message in self.messages if isinstance(message, kind)}


ALL = ["tcp", "unix", "udp", "tls", "fd", "sock"]
STOCK = "asyncio:SelectorEventLoop"
FLOOR = "loopgauge.scenarios.io.floor:Floor"


def test_arms_and_the_floor_take_turns(generator) -> None:
    rig = Rig(generator, stock=STOCK, twin=STOCK, floor=FLOOR)
    rig.run("io.tcp_echo", [["stock", "floor", "twin"], ["twin", "floor", "stock"]])
    samples = rig.of_type(Samples)
    assert samples.keys() == {"stock", "twin", "floor"}
    assert all(len(sample.n) == 2 for sample in samples.values())
    assert not rig.of_type(Status)
    assert not rig.of_type(Poison)


class Refuses(asyncio.SelectorEventLoop):
    async def create_server(self, *args: Any, **options: Any) -> Any:
        raise ValueError("not today")


def test_an_arm_that_fails_is_replaced_and_blamed_for_nothing_else(generator) -> None:
    rig = Rig(generator, stock=STOCK, sick=f"{__name__}:Refuses")
    rig.arms["sick"].loop.close()
    rig.arms["sick"].loop = Refuses()
    rig.run("io.tcp_echo", [["stock", "sick"], ["sick", "stock"]])
    assert rig.of_type(Status)["sick"].status == "error"
    assert rig.of_type(Samples).keys() == {"stock"}
    assert not rig.of_type(Poison)


def test_what_this_machine_lacks_is_no_loops_fault(generator, monkeypatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (300, 300))
    rig = Rig(generator, stock=STOCK)
    rig.run("io.tcp_echo", [["stock"]], connections=1_000)
    status = rig.of_type(Status)["stock"]
    assert status.status == "lacking"
    assert status.reason.startswith("1000 connections need about ")
    assert not rig.of_type(Samples)


def test_what_the_generator_lacks_is_the_machines_too(generator, listener) -> None:
    address = address_of(listener)
    generator.send("open", id=generator.new_id(), address=address, connections=100_000_000)
    with pytest.raises(Lacking, match="ulimit -n"):
        generator.wait()


class KillsTheGenerator(asyncio.SelectorEventLoop):
    """Once it serves: what the system does when memory runs out."""

    victim = 0

    async def create_server(self, *args: Any, **options: Any) -> Any:
        made = await super().create_server(*args, **options)
        os.kill(self.victim, signal.SIGKILL)
        return made


def test_a_generator_that_dies_ends_the_worker_and_blames_no_loop(generator) -> None:
    """The manager then tries again in another process."""
    KillsTheGenerator.victim = generator.pid
    rig = Rig(generator, unlucky=f"{__name__}:KillsTheGenerator")
    with pytest.raises(GeneratorGone, match=r"ended with status -9|closed its control socket"):
        rig.run("io.tcp_echo", [["unlucky"]])
    assert not rig.of_type(Status)
