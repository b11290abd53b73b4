"""The commands of scripts/dev."""

from __future__ import annotations

import argparse
import sys

from devtools import build, environment, packages, pythons
from devtools.shell import EXIT_ENVIRONMENT, SetupError


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return int(arguments.call(arguments))
    except SetupError as error:
        print(f"scripts/dev: {error}", file=sys.stderr)
        return EXIT_ENVIRONMENT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/dev", description="Developer commands.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, call: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(call=call)
        made.add_argument("--python", help="3.11 ... 3.15 or a path; default: the running one")
        return made

    setup = command("setup", _setup, "system packages, virtual environment and build")
    setup.add_argument("--runtime", action="store_true", help="without the developers' tools")
    made = command("build", _build, "compile, and make the development tree")
    made.add_argument("--preset", choices=build.PRESETS, default="release")
    return parser


def _setup(arguments: argparse.Namespace) -> int:
    dev = not arguments.runtime
    packages.ensure(tests=dev)
    python = pythons.find(arguments.python)
    environment.ensure(python, dev=dev)
    build.build(python, tests=dev)
    return 0


def _build(arguments: argparse.Namespace) -> int:
    packages.ensure(tests=True)
    python = pythons.find(arguments.python)
    environment.ensure(python, dev=True)
    build.build(python, arguments.preset)
    return 0
