"""A page for each command, made of what its `--help` is made of.

mkdocs-click leaves out a command's epilog, which is where our examples and exit codes are.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import click

from docsite.markdown import code, fenced, prose, table
from loopgauge.harness.cli import COMMANDS, main

EXIT_CODE = re.compile(r"(\d+) +(.*)")


def names() -> list[str]:
    return [*COMMANDS]


def page(name: str) -> str:
    """The reference of `bench NAME`, with its subcommands."""
    with click.Context(main, info_name="bench", **main.context_settings) as parent:
        command = main.get_command(parent, name)
        assert command is not None
        return "\n\n".join(_command(command, parent, name, level=1)) + "\n"


def commands_table() -> str:
    """All commands, with what they are for and an example."""
    rows = [
        [f"[bench {name}](commands/{name}.md)", prose(entry.summary), code(entry.example)]
        for name, entry in COMMANDS.items()
    ]
    return table(["command", "what it is for", "for example"], rows)


def _command(command: click.Command, parent: click.Context, name: str, level: int) -> Iterator[str]:
    with click.Context(command, parent=parent, info_name=name) as context:
        yield f"{'#' * level} {context.command_path}"
        yield from paragraphs(command.help or "")
        yield fenced(" ".join([context.command_path, *command.collect_usage_pieces(context)]))
        yield _heading(level + 1, "Options", context)
        yield table(["option", "means"], _options(command, context))
        yield from _epilog(command.epilog or "", level + 1, context)
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                assert found is not None
                yield from _command(found, context, below, level + 1)


def _heading(level: int, title: str, context: click.Context) -> str:
    """With the command in its address, since a page may hold several."""
    words = [*context.command_path.split()[1:], *title.lower().split()]
    address = "-".join(re.sub(r"[^a-z0-9]", "", word) for word in words)
    return f"{'#' * level} {title} {{ #{address} }}"


def _options(command: click.Command, context: click.Context) -> Iterator[list[str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:  # an argument has its words in the help above
            yield [code(record[0]), prose(record[1])]


def paragraphs(text: str) -> list[str]:
    """Those of a help text; where click keeps the lines (\\b) they are code."""
    found = []
    for block in re.split(r"\n\s*\n", textwrap.dedent(text).strip()):
        if block.startswith("\b"):
            found.append(fenced(block.removeprefix("\b").strip("\n")))
        elif block:
            found.append(prose(" ".join(block.split())))
    return found


def _epilog(text: str, level: int, context: click.Context) -> Iterator[str]:
    for block in re.split(r"\n[ \t]*\n", text.strip()):
        lines = block.replace("\b", "").strip("\n").splitlines()
        if not lines:
            continue
        title, body = lines[0].strip().removesuffix(":"), "\n".join(lines[1:])
        if lines[0].strip() == "Exit codes:":
            yield _heading(level, title, context)
            yield table(["code", "means"], _exit_codes(body))
        elif lines[0].strip() == "Examples:":
            yield _heading(level, title, context)
            yield fenced(textwrap.dedent(body), "sh")
        elif lines[0].endswith(":") and len(lines) > 1:
            yield _titled(title, body)
        elif any(line.startswith(" ") for line in lines):
            yield fenced("\n".join(lines))
        else:
            yield prose(" ".join(lines))


def _titled(title: str, body: str) -> str:
    return f"{prose(title)}:\n\n{fenced(textwrap.dedent(body))}"


def _exit_codes(body: str) -> list[list[str]]:
    """Lines of "code  meaning"; what does not begin with a code goes on with the one before."""
    rows: list[list[str]] = []
    for line in body.splitlines():
        found = EXIT_CODE.fullmatch(line.strip())
        if found:
            rows.append([found[1], prose(found[2])])
        elif line.strip():
            rows[-1][1] += f" {prose(line.strip())}"
    return rows
