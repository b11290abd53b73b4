"""The run file's records: JSON Lines, one struct a line, told apart by `record`.

Times are nanoseconds unless a name says otherwise; arrays hold one entry per slot, totals of the
whole slot. A reader of schema N reads every file of schema N or older; fields are only ever added,
with a default. The JSON Schema is generated from these structs (`scripts/dev schema`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SCHEMA = (
    3  # 2: the record `metric`; 3: `settled`, Interpreter.path, Sample.together, Benchmark.values
)
KIND = "run"
PYTEST_PREFIX = "pytest:"  # of a benchmark that is a test: "pytest:tests/test_feed.py::test_parse"

Measure = Literal["cpu", "wall", "value"]
Direction = Literal["lower", "higher"]
Design = Literal["hybrid", "process"]
Setting = Literal["quick", "full"]
Tier = Literal["python", "native", "deterministic", "memory"]
TIMED: frozenset[Tier] = frozenset({"python", "native"})  # these share slots; the rest is counted
EventKind = Literal[
    "worker",  # a worker process was started: `worker` says how
    "unavailable",  # the loop cannot be made on this interpreter
    "unsupported",  # the loop lacks a capability the scenario needs
    "lacking",  # this machine lacks what the scenario takes, whatever the loop
    "invalid",  # the work check failed: its figures are void
    "error",  # the scenario raised
    "crash",  # a worker died; final: it did so again alone, and is not tried any more
    "hang",  # a worker stopped answering; final as above
    "poison",  # the loop patched process-wide state
    "left_out",  # asked for, but this machine lacks what it takes, or the loop does not bear it
    "isolated",  # from here on the arm runs in processes of its own ("*": for all benchmarks)
    "protocol",  # a worker sent something that makes no sense; rejected
    "settled",  # a gate has decided on this benchmark: it is not measured any further
    "interrupted",  # Ctrl-C or SIGTERM
    "resumed",  # the run was taken up again
    "note",  # anything else a reader should know
]

ALL_BENCHMARKS = "*"


class Record(msgspec.Struct, tag_field="record", kw_only=True, omit_defaults=False):
    """The envelope that run, conformance and gate files share."""

    schema: int = SCHEMA
    kind: str = KIND


class Arm(msgspec.Struct, kw_only=True):
    """One candidate: a loop on an interpreter. Role "aa" is a second instance of the reference;
    "floor" is no loop at all, but bare system calls: what the machine itself takes; "native" is a
    loop without Python, with C++ callbacks."""

    label: str  # unique: "uvloop", "uvloop@3.14", "asyncio~aa"
    loop: str  # registered name or module:factory
    factory: str
    role: Literal["candidate", "reference", "aa", "floor", "native"] = "candidate"
    arguments: list[str] = []  # of the factory
    distribution: str | None = None
    version: str = ""
    python: str = ""  # key into Environment.interpreters
    capabilities: list[str] = []
    available: bool = True
    reason: str = ""  # why it is not available


class Benchmark(msgspec.Struct, kw_only=True):
    """One scenario with its parameters; what a reader must know of it without importing it."""

    id: str
    scenario: str
    params: dict[str, Any] = {}  # those that were asked for
    values: dict[str, Any] = {}  # all of them, with what they are by default
    summary: str = ""
    unit: str = "op"
    measure: Measure = "cpu"
    direction: Direction = "lower"
    rules: list[str] = []
    irrelevant: list[str] = []  # their cases that void nothing here, as patterns of fnmatch
    requires: list[str] = []
    design: Design = "hybrid"
    grain: int = 1
    floor: bool = False  # the arm of that role takes part
    native: bool = False  # the arms of that role take part
    slot_s: float = 0.0  # a slot is never meant to be shorter


class Allocation(msgspec.Struct, kw_only=True):
    """What one benchmark gets in every process. `block_s` is the expected wall time of one block
    (a slot of every arm with its preparation), from the probe."""

    blocks: int
    block_s: float
    iterations: dict[str, int] = {}  # arm -> operations in one slot
    design: Design = "hybrid"


class Plan(msgspec.Struct, kw_only=True):
    """The schedule, complete but for what a crash changes (see events `isolated`).

    Everything random follows from `Header.seed` by schedule.py; `method` names its version."""

    method: str
    rounds: int  # processes per arm and benchmark: the sample size that was planned
    rounds_least: int = 0  # where time runs short it may become so few (0: as planned)
    rounds_most: int = 0  # and so many where time is left; the clock decides, never the data
    batch: int  # benchmarks in one worker process
    slot_s: float  # length a slot is meant to have
    warmup: int  # unrecorded slots per arm and benchmark before the first block
    budget_s: float  # wall time the plan was fitted to
    expected_s: float  # wall time it is expected to take
    hang_timeout_s: float
    gc: str = "freeze"
    turns: bool = False  # arms with processes of their own run side by side and take turns
    allocations: dict[str, Allocation] = {}  # by benchmark id


class Interpreter(msgspec.Struct, kw_only=True):
    """A CPython build. Figures of different `build_kind` must not be compared."""

    executable: str
    version: str
    implementation: str = "cpython"
    compiler: str = ""
    config_args: str = ""
    optimized: bool = False  # --enable-optimizations (PGO)
    lto: bool = False
    jit: bool = False
    tail_call: bool = False
    debug: bool = False
    free_threaded: bool = False
    build_kind: str = ""
    libc: str = ""
    loopgauge: str = ""
    build_hash: str = ""  # of extension modules and built-in loop: two builds of one version differ
    engine: str = ""  # Google Benchmark's version, where known
    path: list[str] = []  # additions to sys.path of its workers, behind Header.path


class Machine(msgspec.Struct, kw_only=True):
    cpu_model: str = ""
    cpus_logical: int = 0
    cpus_allowed: list[int] = []
    cpu_limit: float | None = None  # CPUs' worth of quota by cgroup
    memory_bytes: int = 0
    memory_limit_bytes: int | None = None
    kernel: str = ""
    governor: str = ""
    turbo: str = ""  # "on", "off" or "" where unknown
    smt: str = ""
    aslr: str = ""
    clocksource: str = ""
    virtual: str = ""  # hypervisor or container, "" for bare metal or unknown
    hostname_hash: str = ""  # tells machines apart without naming them


class Load(msgspec.Struct, kw_only=True):
    """A snapshot: load averages, and the share of CPU time stolen or used since boot (seconds)."""

    utc: str = ""
    load_1m: float = 0.0
    load_5m: float = 0.0
    steal_s: float = 0.0
    busy_s: float = 0.0
    total_s: float = 0.0


class Environment(msgspec.Struct, kw_only=True):
    machine: Machine = msgspec.field(default_factory=Machine)
    interpreters: dict[str, Interpreter] = {}  # by key: "3.14"
    variables: dict[str, str] = {}  # those of the environment that change what is measured
    load: Load = msgspec.field(default_factory=Load)


class Header(Record, tag="header", kw_only=True):
    run: str
    created: str
    command: list[str] = []
    setting: Setting = "full"
    tiers: list[Tier] = msgspec.field(default_factory=lambda: ["python"])
    seed: int
    design: Design | None = None  # forced for the whole run; None: as each benchmark says
    cpus: list[int] | None = None  # the worker is pinned to these
    path: list[str] = []  # additions to sys.path of the worker
    reference: str = "asyncio"  # label of the reference arm
    arms: list[Arm] = []
    benchmarks: list[Benchmark] = []
    plan: Plan
    environment: Environment = msgspec.field(default_factory=Environment)
    imported: str = ""  # the format of the foreign file that this run was made of

    @property
    def resumable(self) -> bool:
        """By `bench run`: other tools, and pytest, can only measure again."""
        here = not any(b.scenario.startswith(PYTEST_PREFIX) for b in self.benchmarks)
        return here and not self.imported


class OpenLoop(msgspec.Struct, kw_only=True):
    """A constant arrival rate, over all slots of a sample. Histograms are of nanoseconds and can be
    added up: (bucket, count) with the buckets of latency.py. `corrected` counts from when an
    operation was due and holds those that were never sent; `service` counts from when it was
    sent."""

    asked_per_second: float
    due: int  # operations that the rate asked for
    answered: int
    seconds: float  # from the first due time to the end of the slot or its last answer, added up
    late_max_ns: int  # worst delay by which the generator itself was too late
    corrected: list[tuple[int, int]]
    service: list[tuple[int, int]]
    corrected_max_ns: int
    service_max_ns: int


class Sample(Record, tag="sample", kw_only=True):
    """One process x benchmark x arm. Entry i of every array belongs to the same slot."""

    process: int  # the worker process, unique in the run
    together: int = 0  # the same number: the processes took turns, slot by slot (0: none did)
    round: int  # samples of one round are paired
    benchmark: str
    arm: str
    design: Design
    n: list[int]  # operations done and verified
    block: list[int]
    slot: list[int]  # position in the benchmark's slot order
    wall_ns: list[int]
    process_ns: list[int]  # CPU time of the whole process
    thread_ns: list[int]  # CPU time of the thread that runs the loop
    value: list[float] | None = None  # in the scenario's unit, where it measures a value
    nivcsw: list[int] = []  # involuntary context switches
    harness_ns: float | None = None  # CPU of an empty operation in such slots, in the native tier
    open_loop: OpenLoop | None = None  # of scenarios at a constant rate


class Metric(Record, tag="metric", kw_only=True):
    """A figure of one benchmark x arm that is counted, not timed: instructions, system calls,
    allocations, context switches, hardware counters, resident memory.

    Where `n` has two sizes, `value` is the difference quotient (raw[1] - raw[0]) / (n[1] - n[0]),
    which cancels what starting up costs."""

    benchmark: str
    arm: str
    metric: str  # "instructions", "syscalls", "rss", "peak_rss", ...
    unit: str  # "instruction/message", "byte/connection", "byte"
    value: float
    n: list[int] = []  # operations of the runs it was taken from
    raw: list[float] = []  # the totals of those runs
    by_name: dict[str, float] = {}  # parts in the same unit: system calls, functions
    tool: str = ""  # what counted: "callgrind 3.19", "getrusage"


class Worker(msgspec.Struct, kw_only=True):
    """How a worker process was started."""

    round: int
    design: Literal["hybrid", "process", "probe"]
    creation: list[str]  # arms in the order their loops are made
    benchmarks: list[str]  # in the order they run
    hash_seed: int  # PYTHONHASHSEED
    padding: int  # bytes of environment: moves the stack, and with it cache alignment
    python: str = ""
    pid: int = 0


class Event(Record, tag="event", kw_only=True):
    event: EventKind
    utc: str = ""
    process: int | None = None
    benchmark: str = ""  # "" where it concerns the arm as a whole
    arm: str = ""
    phase: str = ""  # import|create|setup|calibrate|warmup|slot|teardown
    reason: str = ""
    signal: str = ""  # "SIGSEGV"
    detail: str = ""  # traceback, stack or the end of stderr
    final: bool = False
    worker: Worker | None = None


class End(Record, tag="end", kw_only=True):
    """Written when every planned sample is there; a file without it can be resumed."""

    utc: str
    load: Load = msgspec.field(default_factory=Load)
    wall_s: float = 0.0  # of this session (a resumed run has one per session that finished)
    steal: float = 0.0  # share of the CPU time stolen by the hypervisor during the run
    samples: int = 0


AnyRecord = Header | Sample | Metric | Event | End


def json_schema() -> dict[str, Any]:
    """The published schema of one line of a run file (JSON Schema 2020-12)."""
    schema = msgspec.json.schema(AnyRecord)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"loopgauge-run-{SCHEMA}",
        "title": f"One line of a loopgauge run file, schema {SCHEMA}",
        **schema,
    }
