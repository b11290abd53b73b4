"""A click group that imports a command when it is used and turns errors into exit codes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from loopgauge.harness.cli import errors


@dataclass(frozen=True)
class CommandEntry:
    target: str  # "module:attribute" of a click.Command
    summary: str
    example: str


class BenchGroup(click.Group):
    def __init__(self, name: str, entries: Mapping[str, CommandEntry], *, help: str) -> None:
        super().__init__(
            name,
            help=help,
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
            params=[
                click.Option(
                    ["--version"],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=print_version,
                    help="Show the version and exit.",
                )
            ],
        )
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.entries]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.entries:
            hint = errors.did_you_mean(args[0], self.entries)
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table alone: help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])
        with formatter.section("Examples"):
            for entry in self.entries.values():
                formatter.write_text(entry.example)

    def invoke(self, ctx: click.Context) -> Any:
        # Below click's own handling on purpose: click would answer Ctrl-C and a closed pipe with
        # exit code 1, which here means "regression".
        with errors.as_exit_code(ctx):
            return super().invoke(ctx)


def print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("loopgauge")
    except PackageNotFoundError:
        number = "(development tree)"
    click.echo(f"loopgauge {number}")
    ctx.exit()
