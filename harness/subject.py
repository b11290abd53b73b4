"""From a request to what will be measured: arms, benchmarks and interpreters, as facts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from loopgauge.harness import environment
from loopgauge.harness.errors import InterpreterUnusable, NothingToMeasure
from loopgauge.harness.model import Arm, Benchmark, Design, Environment, Interpreter
from loopgauge.harness.request import REFERENCE, RunRequest
from loopgauge.loops.spec import CAPABILITIES
from loopgauge.scenarios.native import FACTORY as NATIVE_FACTORY

INTERPRETER_MODULE = ("-P", "-m", "loopgauge.harness.interpreter")
APPLICATION_PREFIX = "app:"
FLOOR = "floor"
FLOOR_FACTORY = "loopgauge.scenarios.io.floor:Floor"
NATIVE_PREFIX = "native:"
ANSWER_S = 60.0  # an interpreter that has not described itself by then never will


@dataclass(frozen=True)
class Subject:
    arms: list[Arm]
    benchmarks: list[Benchmark]
    environment: Environment
    design: Design | None  # forced for the whole run

    @property
    def reference(self) -> str:
        return next(arm.label for arm in self.arms if arm.role == "reference")


@dataclass(frozen=True)
class Python:
    key: str  # "3.14"
    interpreter: Interpreter
    loops: Mapping[str, Mapping[str, Any]]
    natives: Sequence[Mapping[str, str]] = ()


def resolve(request: RunRequest) -> Subject:
    """Raises NothingToMeasure, InterpreterUnusable, and whatever the registries raise for a name
    they do not know."""
    benchmarks = [describe(scenario, params) for scenario, params in request.benchmarks]
    if not benchmarks:
        raise NothingToMeasure("no benchmark was selected", "`bench list scenarios` names them")
    names = list(dict.fromkeys([*request.arms, REFERENCE]))
    natives = [*request.natives] if "native" in request.tiers else None
    pythons = [ask(path, names, request.path, natives) for path in executables(request.pythons)]
    make_keys_unique(pythons)
    arms = [arm for python in pythons for arm in arms_on(python, names, len(pythons) > 1)]
    arms = with_twin(arms)
    if all(not arm.available for arm in arms if arm.role != "aa"):
        reasons = "; ".join(f"{arm.label}: {arm.reason}" for arm in arms)
        raise NothingToMeasure(f"no loop can be made here ({reasons})", "`bench doctor` says more")
    if any(benchmark.floor for benchmark in benchmarks):
        arms.append(floor_arm(pythons[0]))
    if any(benchmark.native for benchmark in benchmarks):
        arms += native_arms(pythons[0])
    # Loops on different interpreters cannot share a process.
    design: Design | None = "process" if len(pythons) > 1 else request.design
    if design is not None:
        benchmarks = [msgspec.structs.replace(b, design=design) for b in benchmarks]
    return Subject(
        arms=arms,
        benchmarks=benchmarks,
        environment=Environment(
            machine=environment.machine(),
            interpreters={python.key: python.interpreter for python in pythons},
            variables=environment.relevant_variables(),
            load=environment.load(),
        ),
        design=design,
    )


def describe(scenario: str, params: Mapping[str, Any]) -> Benchmark:
    """An application's own coroutine is no registered scenario; only workers import it."""
    if scenario.startswith(APPLICATION_PREFIX):
        target = scenario.removeprefix(APPLICATION_PREFIX)
        return Benchmark(
            id=scenario,
            scenario=scenario,
            params=dict(params),
            summary=f"the application's own {target}",
            unit="run",
        )
    from loopgauge.scenarios import registry

    made = registry.all_scenarios()[scenario](**params)
    return Benchmark(
        id=registry.benchmark_id(made),
        scenario=scenario,
        params=dict(params),
        values=dict(made.values),
        summary=made.summary,
        unit=made.unit,
        measure=made.measure,
        direction=made.direction,
        rules=list(made.rules),
        irrelevant=made.irrelevant,
        requires=sorted(made.requires),
        design=made.design,
        grain=made.grain,
        floor=made.has_floor,
        native=made.has_native,
        slot_s=made.slot_s,
    )


def executables(pythons: Sequence[str]) -> list[str]:
    """Of paths or versions such as "3.14"; the running one where none is asked for."""
    if not pythons:
        return [sys.executable]
    return list(dict.fromkeys(_executable(name) for name in pythons))


def _executable(name: str) -> str:
    command = name if not name[:1].isdigit() else f"python{name}"
    # A development checkout has loopgauge in environments of its own (scripts/bench names their
    # folder); the pythonX.Y on PATH usually has none.
    own = os.environ.get("LOOPGAUGE_PYTHONS", "")
    found = (shutil.which(command, path=own) if own else None) or shutil.which(command)
    if found is None:
        raise InterpreterUnusable(
            f"there is no Python {name!r} here",
            "Give a path, or a version whose pythonX.Y is on PATH; in a checkout: "
            f"scripts/dev setup --python {name}",
        )
    # Not resolved: the link in a virtual environment is what makes it that environment.
    return str(Path(found).absolute())


def ask(
    executable: str,
    loops: Sequence[str],
    path: Sequence[str],
    natives: Sequence[str] | None = None,
) -> Python:
    """`natives`: paths of native backends; None where nothing is to be told of any."""
    question = json.dumps({"loops": list(loops), "path": list(path), "natives": natives})
    try:
        answer = subprocess.run(
            [executable, *INTERPRETER_MODULE],
            input=question,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
            env=environment.worker_environment(hash_seed=0, padding=0),
        )
        facts = json.loads(answer.stdout)
    except subprocess.CalledProcessError as error:
        raise _unusable(executable, error.stderr) from error
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise _unusable(executable, str(error)) from error
    # As it was called: a launcher may enter a container, in which the interpreter has another path.
    interpreter = msgspec.convert({**facts["interpreter"], "executable": executable}, Interpreter)
    key = ".".join(interpreter.version.split(".")[:2])
    key += "t" if interpreter.free_threaded else ""
    return Python(key, interpreter, facts["loops"], facts.get("natives", ()))


def _unusable(executable: str, said: str) -> InterpreterUnusable:
    last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
    cure = "Run it by hand to see more"
    if "No module named" in last:
        cure = f"Install loopgauge for it: {executable} -m pip install loopgauge"
    return InterpreterUnusable(f"{executable} cannot measure: {last}", cure)


def make_keys_unique(pythons: list[Python]) -> None:
    """Two builds of one version are told apart by the full version, then by a number."""
    for naming in (lambda p, i: p.interpreter.version, lambda p, i: f"{p.interpreter.version}-{i}"):
        keys = [python.key for python in pythons]
        for i, python in enumerate(pythons):
            if keys.count(python.key) > 1:
                pythons[i] = replace(python, key=naming(python, i))


def arms_on(python: Python, names: Sequence[str], several: bool) -> list[Arm]:
    return [
        Arm(
            label=f"{name}@{python.key}" if several else name,
            loop=name,
            factory=facts["factory"],
            distribution=facts["distribution"],
            version=facts["version"],
            python=python.key,
            capabilities=facts["capabilities"],
            available=facts["available"],
            reason=facts["reason"],
        )
        for name, facts in ((name, python.loops[name]) for name in names)
    ]


def floor_arm(python: Python) -> Arm:
    """Not a loop people can choose; one is enough, for it runs no Python."""
    return Arm(
        label=FLOOR,
        loop=FLOOR,
        factory=FLOOR_FACTORY,
        role="floor",
        python=python.key,
        capabilities=sorted(CAPABILITIES),
    )


def native_arms(python: Python) -> list[Arm]:
    """One of each is enough, for they run no Python. Of two with one name the later is called by
    its path."""
    names = [facts["name"] for facts in python.natives]
    labels = [
        NATIVE_PREFIX + (facts["path"] if facts["name"] in names[:i] else facts["name"])
        for i, facts in enumerate(python.natives)
    ]
    return [
        Arm(
            label=label,
            loop=label,
            factory=NATIVE_FACTORY,
            arguments=[facts["path"]],
            role="native",
            version=facts["version"],
            python=python.key,
            capabilities=sorted(CAPABILITIES),
            available=not facts["reason"],
            reason=facts["reason"],
        )
        for label, facts in zip(labels, python.natives, strict=True)
    ]


def with_twin(arms: list[Arm]) -> list[Arm]:
    """The first stock asyncio becomes the reference, and gets a second instance of itself."""
    reference = next(arm for arm in arms if arm.loop == REFERENCE)
    reference.role = "reference"
    label = f"{REFERENCE}~aa" + reference.label.removeprefix(REFERENCE)
    return [*arms, msgspec.structs.replace(reference, label=label, role="aa")]
