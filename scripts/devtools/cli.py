"""The commands of scripts/dev."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from devtools import (
    build,
    check,
    docs,
    environment,
    faults,
    matrix,
    mutants,
    packages,
    pythons,
    sanitizers,
    wheel,
)
from devtools.pythons import Interpreter
from devtools.shell import EXIT_ENVIRONMENT, ROOT, SetupError, status


def main() -> int:
    """Runs one command; 8 with one line on stderr where the machine lacks something."""
    arguments, rest = _parser().parse_known_args()
    if rest and not arguments.passes_on:
        _parser().error(f"unrecognised arguments: {' '.join(rest)}")
    arguments.rest = [word for word in rest if word != "--"]
    call: Callable[[argparse.Namespace], int] = arguments.call
    try:
        return call(arguments)
    except SetupError as error:
        print(f"scripts/dev: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/dev",
        description="Everything a developer does, on one Python: --python 3.13, PYTHON=3.13, "
        "or the one that python3 starts.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str,
        call: Callable[[argparse.Namespace], int],
        text: str,
        *,
        passes_on: bool = False,
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(call=call, passes_on=passes_on)
        made.add_argument("--python", help="3.11 ... 3.15, or a path")
        return made

    made = command("setup", _setup, "system packages, virtual environment and build")
    made.add_argument("--runtime", action="store_true", help="only what `bench` needs")
    made = command("build", _build, "compile, and make the development tree")
    made.add_argument("--preset", choices=build.PRESETS, default="release")
    command("test", _test, "lint, wheel, C++ and Python tests", passes_on=True)
    command("lint", _lint, "ruff, mypy, stubtest and clang-format")
    command("tidy", _tidy, "clang-tidy over the C++ sources")
    command("format", _format, "format Python and C++ in place")
    made = command("matrix", _matrix, "the tests on all five Pythons", passes_on=True)
    made.add_argument("--only", action="append", choices=pythons.SUPPORTED, metavar="VERSION")
    made.add_argument("--no-tests", action="store_true", help="provide the Pythons and build")
    made = command("python", _python, "provide a Python and print the command that starts it")
    made.add_argument("version", nargs="?", metavar="VERSION")
    command("asan", _asan, "C++ and loop tests under ASan and UBSan", passes_on=True)
    command("tsan", _tsan, "C++ tests under ThreadSanitizer")
    made = command("fuzz", _fuzz, "every libFuzzer target")
    made.add_argument("seconds", nargs="?", type=int, default=60, help="for each; default 60")
    made = command(
        "conformance", _conformance, "the conformance rules on all five Pythons", passes_on=True
    )
    made.add_argument("--only", action="append", choices=pythons.SUPPORTED, metavar="VERSION")
    command("cpython", _cpython, "CPython's own tests on a loop, class by class", passes_on=True)
    made = command("mutants", _mutants, "do the conformance rules notice deliberate faults?")
    mutants.add_arguments(made)
    made = command("property", _property, "random conversations for a while", passes_on=True)
    made.add_argument("--minutes", type=float, default=10, help="default 10")
    made = command("soak", _soak, "long memory tests of the loop and its connections")
    made.add_argument("--callbacks", default="10000000", help="default ten million")
    made.add_argument("--connections", default="1000000", help="default a million")
    command("schema", _schema, "write the JSON Schemas of the result files")
    made = command("study", _study, "run scripts/studies/NAME.py", passes_on=True)
    made.add_argument("name", metavar="NAME")
    command("wheel", _wheel, "build the wheel and test it in a fresh environment")
    made = command("docs", _docs, "build the documentation, strictly: build/docs")
    made.add_argument("--out", metavar="FOLDER", help="into this folder")
    made.add_argument("--serve", action="store_true", help="show it, and build it when it changes")
    made.add_argument(
        "--address", default="127.0.0.1:8000", help="for --serve; default %(default)s"
    )
    command("lock", _lock, "resolve scripts/requirements.lock again")
    return parser


def _ready(
    arguments: argparse.Namespace, *, dev: bool = True, compiled: bool = True
) -> Interpreter:
    """Set-up, by one process at a time: a second one waits and then finds everything done."""
    wanted = arguments.python or os.environ.get("PYTHON")
    with environment.locked():
        python = pythons.find(wanted)
        packages.ensure(tests=dev)
        environment.ensure(python, dev=dev)
        if not wanted:
            environment.remember_default(python)
        if compiled:
            build.build(python, tests=dev)
    return python


def _setup(arguments: argparse.Namespace) -> int:
    _ready(arguments, dev=not arguments.runtime)
    return 0


def _build(arguments: argparse.Namespace) -> int:
    build.build(_ready(arguments, compiled=False), arguments.preset)
    return 0


def _test(arguments: argparse.Namespace) -> int:
    return check.everything(_ready(arguments), arguments.rest)


def _lint(arguments: argparse.Namespace) -> int:
    failed = check.lint(_ready(arguments))
    print(f"failed: {', '.join(failed)}" if failed else "lint passed")
    return 1 if failed else 0


def _tidy(arguments: argparse.Namespace) -> int:
    packages.ensure_command("run-clang-tidy", "clang-tidy")
    return check.tidy(_ready(arguments))


def _format(arguments: argparse.Namespace) -> int:
    return 1 if check.lint(_ready(arguments, compiled=False), fix=True) else 0


def _matrix(arguments: argparse.Namespace) -> int:
    packages.ensure(tests=True)
    versions = arguments.only or pythons.SUPPORTED
    job = (lambda python: "ok") if arguments.no_tests else matrix.tests(arguments.rest)
    return matrix.matrix(versions, job)


def _conformance(arguments: argparse.Namespace) -> int:
    packages.ensure(tests=True)
    versions = arguments.only or pythons.SUPPORTED
    return matrix.matrix(versions, matrix.conformance(arguments.rest))


def _python(arguments: argparse.Namespace) -> int:
    arguments.python = arguments.version or arguments.python
    print(_ready(arguments).launcher)
    return 0


def _asan(arguments: argparse.Namespace) -> int:
    return sanitizers.asan(_ready(arguments, compiled=False), arguments.rest)


def _tsan(arguments: argparse.Namespace) -> int:
    return sanitizers.tsan(_ready(arguments, compiled=False))


def _fuzz(arguments: argparse.Namespace) -> int:
    return sanitizers.fuzz(_ready(arguments, compiled=False), arguments.seconds)


def _cpython(arguments: argparse.Namespace) -> int:
    launcher = _ready(arguments).launcher
    table = "loopgauge.conformance.lanes.cpython.table"
    return status([launcher, "-m", table, *arguments.rest])


def _mutants(arguments: argparse.Namespace) -> int:
    if arguments.list:
        print(faults.table(faults.select(faults.load(), arguments.names)))
        return 0
    return mutants.check(_ready(arguments, compiled=False), arguments)


def _property(arguments: argparse.Namespace) -> int:
    return check.properties(_ready(arguments), arguments.minutes, arguments.rest)


def _soak(arguments: argparse.Namespace) -> int:
    launcher, tests = _ready(arguments).launcher, ROOT / "loops" / "tests"
    callbacks = status([launcher, tests / "soak.py", arguments.callbacks])
    return status([launcher, tests / "soak_connections.py", arguments.connections]) or callbacks


def _schema(arguments: argparse.Namespace) -> int:
    launcher = _ready(arguments).launcher
    rooms = ("harness", "conformance")
    return max(status([launcher, "-m", f"loopgauge.{room}.schema"]) for room in rooms)


def _study(arguments: argparse.Namespace) -> int:
    script = ROOT / "scripts" / "studies" / f"{arguments.name}.py"
    if not script.exists():
        known = sorted(path.stem for path in script.parent.glob("[!_]*.py"))
        print(
            f"no study {arguments.name}; there are: {', '.join(known) or 'none'}", file=sys.stderr
        )
        return 2
    return status([_ready(arguments).launcher, script, *arguments.rest])


def _wheel(arguments: argparse.Namespace) -> int:
    return wheel.check(_ready(arguments, compiled=False))


def _docs(arguments: argparse.Namespace) -> int:
    python = _ready(arguments)
    if arguments.serve:
        return docs.serve(python, arguments.address)
    return docs.build(python, arguments.out)


def _lock(arguments: argparse.Namespace) -> int:
    environment.lock(_ready(arguments, compiled=False))
    return 0
