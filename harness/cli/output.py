"""JSON for programs, the same way from every command."""

from __future__ import annotations

from typing import Any

import click


def print_json(document: Any) -> None:
    """One document on stdout; not-a-number and infinity become null."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
