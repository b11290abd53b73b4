"""The roles of docs/team-history.md, in a real PostgreSQL: its SQL, and what each login may do."""

from __future__ import annotations

import re
import secrets
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result
from docs_testing.project import run as write_run
from docs_testing.shown import ROOT

from loopgauge.harness.cli import main

PAGE = (ROOT / "docs/team-history.md").read_text(encoding="utf-8")
PASSWORD = "correct horse"


def history(*words: str, store: str) -> Result:
    return CliRunner().invoke(main, ["history", *words, "--store", store])


@pytest.fixture
def logins(postgres, postgres_url):
    """URLs of a runner and a reader, made by the page's SQL. Logins are the whole server's."""
    mark = secrets.token_hex(4)
    names = {name: f"{name}_{mark}" for name in ("runner", "reader")}
    database = postgres_url.rpartition("/")[2]
    assert history("init", store=postgres_url).exit_code == 0
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with postgres.connect(database) as connection:
        for statement in sql.replace("'...'", f"'{PASSWORD}'").split(";\n"):
            if statement.strip():
                named = re.sub(r"\b(runner|reader)\b", lambda word: names[word[0]], statement)
                connection.execute(named)
    yield {name: postgres.url(database, user, quote(PASSWORD)) for name, user in names.items()}
    with postgres.connect(database) as connection:
        for user in names.values():
            connection.execute(f"DROP ROLE {user}")


def test_a_runner_appends_and_rewrites_nothing_and_a_reader_reads(logins, tmp_path):
    import psycopg

    write_run(tmp_path / "run.jsonl")
    run = str(tmp_path / "run.jsonl")
    refused = history("import", run, store=logins["reader"])
    assert refused.exit_code == 8
    assert "this user may not do that" in refused.output
    assert PASSWORD not in refused.output
    assert history("import", run, store=logins["runner"]).exit_code == 0
    assert history("machines", store=logins["reader"]).exit_code == 0
    with psycopg.connect(logins["runner"], autocommit=True) as connection:
        for statement in ("DELETE FROM run", "UPDATE point SET value = 0", "DROP TABLE point"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
