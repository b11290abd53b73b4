"""What `bench history init` says of the store that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loopgauge.harness.history.migrating import Made


def print_made(made: Made, store: str) -> None:
    click.echo(f"{store}: {what_was_done(made)}")
    if made.roles:
        click.echo(f"GRANT one of its roles to who may use it: {', '.join(made.roles)}")
    if made.missing:
        names = " and ".join(made.missing)
        statements = " ".join(f"CREATE ROLE {role};" for role in made.missing)
        click.echo(
            f"error: this user may not make the roles {names}. Somebody who may types:"
            f" {statements} Then run this again.",
            err=True,
        )


def what_was_done(made: Made) -> str:
    if made.before == made.now:
        return f"is of schema {made.now} already"
    if made.before == 0:
        return f"made, with schema {made.now}"
    return f"brought from schema {made.before} to {made.now}"
