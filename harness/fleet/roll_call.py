"""Who is there: asks the workers of a cluster what they are, and puts them together to hosts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from loopgauge.harness.errors import NoHost
from loopgauge.harness.fleet import envelope
from loopgauge.harness.fleet.believing import clean
from loopgauge.harness.fleet.fitness import fitness
from loopgauge.harness.fleet.hosts import (
    Host,
    HostFacts,
    LeftOut,
    WorkerSeen,
    among,
    host_key,
)
from loopgauge.harness.fleet.model import Package
from loopgauge.harness.fleet.place import Place

if TYPE_CHECKING:
    from loopgauge.harness.fleet.connection import Connection

RESOURCE = "loopgauge"
START_S = 10.0  # for the first worker of a cluster to come
ANSWER_S = 60.0  # for a worker to start an agent and describe itself
LOOK_S = 0.05
SIZE_MOST = 1 << 20  # bytes of facts
FACTS = "loopgauge.harness.fleet.host_facts:tell"


class Glance(msgspec.Struct, kw_only=True):
    """What bootstrap.look() says."""

    boot_id: str
    utc: float
    python: str
    pid: int
    hostname: str = ""


@dataclass
class Candidate:
    """A worker that is being asked."""

    seen: WorkerSeen
    offset_s: float
    executable: str
    installed: list[Package] = field(default_factory=list)


def roll_call(
    connection: Connection, session: str, place: Place, told: Callable[[str], None]
) -> tuple[list[Host], list[LeftOut], set[str]]:
    """Hosts in the order of their names, who is left out, and the addresses of all workers. Raises
    SchedulerLost."""
    workers = _await_workers(connection)
    hosts: list[Host] = []
    left_out = muster(connection, session, workers, hosts, place, told)
    for host in hosts:
        host.workers.sort()
    seen = {worker.address for worker in workers}
    return sorted(hosts, key=lambda host: host.name), left_out, seen


def muster(
    connection: Connection,
    session: str,
    workers: Sequence[WorkerSeen],
    hosts: list[Host],
    place: Place,
    told: Callable[[str], None],
) -> list[LeftOut]:
    """Adds these workers to the hosts that they belong to, or to new ones. Returns the others."""
    left_out = [_without_resource(one) for one in workers if one.resources.get(RESOURCE, 0) < 1]
    asked = [one for one in workers if one.resources.get(RESOURCE, 0) >= 1]
    candidates, silent = _glances(connection, asked)
    candidates, unserved = _supplied(connection, session, candidates, place, told)
    left_out += silent + unserved
    answers = _ask(connection, session, candidates)
    for candidate in sorted(candidates, key=lambda one: one.seen.name):
        facts = _facts(candidate, answers.get(candidate.seen.address))
        reason = facts if isinstance(facts, LeftOut) else unlike_ours(candidate.seen.name, facts)
        if isinstance(facts, HostFacts) and reason is None and not place.unfit:
            reason = _unfit(candidate.seen.name, facts)
        if reason is not None or isinstance(facts, LeftOut):
            left_out += [reason] if reason else []
            continue
        if (elsewhere := _enlist(candidate, facts, hosts)) is not None:
            left_out.append(elsewhere)
    return left_out


def require_one(hosts: Sequence[Host], left_out: Sequence[LeftOut], place: Place) -> None:
    if hosts:
        return
    if not left_out:
        raise NoHost(
            f"the scheduler at {place.address} has no workers",
            'Start one: dask worker ADDRESS --nthreads 1 --resources "loopgauge=1"',
        )
    reasons = "; ".join(f"{one.name} {one.reason}" for one in left_out[:5])
    more = f"; and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    raise NoHost(f"no worker can be used: {reasons}{more}", left_out[0].cure, left_out)


def _await_workers(connection: Connection) -> list[WorkerSeen]:
    """A cluster that has just been started may have none yet."""
    until = time.monotonic() + START_S
    while not (workers := connection.workers()) and time.monotonic() < until:
        time.sleep(LOOK_S)
    return workers


def _without_resource(worker: WorkerSeen) -> LeftOut:
    return LeftOut(
        name=worker.name,
        reason=f"has no resource {RESOURCE!r}, so that its tasks could run beside each other",
        cure=f'Start it with --resources "{RESOURCE}=1"',
    )


def _glances(
    connection: Connection, workers: Sequence[WorkerSeen]
) -> tuple[list[Candidate], list[LeftOut]]:
    answers = connection.ask([one.address for one in workers], "look") if workers else {}
    # Once more for the clocks: the first time we may have waited for somebody who never answered.
    before, start = time.time(), time.monotonic()
    timed = connection.ask([*answers], "look") if answers else {}
    middle = before + (time.monotonic() - start) / 2
    candidates, silent = [], []
    for worker in workers:
        if worker.address not in timed:
            silent.append(
                LeftOut(
                    name=worker.name,
                    reason="does not answer",
                    cure="Look into its log, and whether its machine is still there",
                )
            )
            continue
        try:
            glance = msgspec.json.decode(timed[worker.address], type=Glance)
        except (msgspec.DecodeError, TypeError):
            silent.append(
                LeftOut(
                    name=worker.name,
                    reason="does not say what it is",
                    cure="Look into its log; loopgauge needs workers on Linux with CPython",
                )
            )
            continue
        candidates.append(Candidate(worker, glance.utc - middle, glance.python))
    return candidates, silent


def _supplied(
    connection: Connection,
    session: str,
    candidates: Sequence[Candidate],
    place: Place,
    told: Callable[[str], None],
) -> tuple[list[Candidate], list[LeftOut]]:
    """Where there are wheels to bring, a worker's agents live in an environment made of them."""
    if not place.wheels or not candidates:
        return [*candidates], []
    from loopgauge.harness.fleet.delivery import deliver, over
    from loopgauge.harness.fleet.wheels import goods_of

    addresses = [one.seen.address for one in candidates]
    goods = goods_of(place.wheels, place.index)
    told(f"bringing {goods} to the workers")
    made = deliver(goods, addresses, over(connection))
    served, unserved = [], []
    for one in candidates:
        environment = made[one.seen.address]
        if environment.cause:
            cause, cure = environment.cause, environment.cure
            unserved.append(
                LeftOut(name=one.seen.name, reason=f"lacks the wheels: {cause}", cure=cure)
            )
            continue
        for wheel in environment.unfitting:
            told(f"{one.seen.name}: {wheel.words}")
        connection.ask([one.seen.address], "prefer", session, environment.python)
        served.append(replace(one, executable=environment.python, installed=environment.installed))
    return served, unserved


def _ask(
    connection: Connection, session: str, candidates: Sequence[Candidate]
) -> Mapping[str, Any]:
    """The facts as each worker's agent tells them."""
    ticket = secrets.token_hex(8)
    request = envelope.request(FACTS, b"", lock="none", session=session)
    left = [one.seen.address for one in candidates]
    if left:
        connection.ask(left, "begin", ticket, request)
    found: dict[str, Any] = {}
    until = time.monotonic() + ANSWER_S
    while left and time.monotonic() < until:
        answers = connection.ask(left, "tell", ticket)
        found.update((who, said) for who, said in answers.items() if said is not None)
        left = [who for who in left if who in answers and who not in found]
        if left:
            time.sleep(LOOK_S)
    return found


def _facts(candidate: Candidate, said: Any) -> HostFacts | LeftOut:
    """What it told, checked as what anybody might send."""
    name = candidate.seen.name
    if not isinstance(said, bytes) or len(said) > SIZE_MOST:
        return LeftOut(
            name=name,
            reason=f"did not describe itself within {ANSWER_S:g} s",
            cure="Look into its log",
        )
    answer = envelope.parse(said)
    if not answer.ok:
        return LeftOut(
            name=name,
            reason=f"cannot run loopgauge: {answer.words[:300]}",
            cure="Install loopgauge into its Python, or send it with --wheel",
        )
    try:
        facts = clean(msgspec.json.decode(answer.payload, type=HostFacts))
    except msgspec.DecodeError as error:
        return LeftOut(name=name, reason=f"describes itself in words that make no sense ({error})")
    facts.utc_offset_s = candidate.offset_s
    return facts


def unlike_ours(name: str, facts: HostFacts) -> LeftOut | None:
    """Sources that differ may mean other things by the same names."""
    from loopgauge.harness.fleet.host_facts import source_hash
    from loopgauge.harness.interpreter import own_version

    if facts.source == source_hash():
        return None
    ours, theirs = own_version(), facts.interpreter.loopgauge
    versions = (
        f"has loopgauge {theirs} where this is {ours}"
        if ours != theirs
        else f"has other sources of loopgauge than this command, both of version {ours}"
    )
    return LeftOut(
        name=name,
        reason=f"{versions} ({facts.source} there, {source_hash()} here)",
        cure="Install the same loopgauge there, or send this one with --wheel",
    )


def _unfit(name: str, facts: HostFacts) -> LeftOut | None:
    found = fitness(facts)
    if found is None:
        return None
    return LeftOut(
        name=name,
        reason=f"is unfit: {found.found}",
        cure=f"{found.cure}, or use it all the same with --unfit",
    )


def _enlist(candidate: Candidate, facts: HostFacts, hosts: list[Host]) -> LeftOut | None:
    """A call is made for a host, whichever of its workers takes it: their Python is one."""
    host = among(hosts, facts)
    if host is not None and host.executable != candidate.executable:
        return LeftOut(
            name=candidate.seen.name,
            reason=f"is the same machine and version of Python as {host.name}, but its Python is "
            f"{candidate.executable}, not {host.executable}",
            cure="Start all workers of a machine in one environment, with one XDG_CACHE_HOME",
        )
    if host is None:
        host = Host(
            key=host_key(facts),
            name=candidate.seen.name,
            facts=facts,
            executable=candidate.executable,
            threads=candidate.seen.threads,
            installed=candidate.installed,
        )
        hosts.append(host)
    if candidate.seen.address not in host.workers:
        host.workers.append(candidate.seen.address)
    host.threads = min(host.threads, candidate.seen.threads)
    return None


def addresses(hosts: Collection[Host]) -> set[str]:
    return {address for host in hosts for address in host.workers}
