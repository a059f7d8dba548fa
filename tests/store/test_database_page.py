"""docs/database.md is what the migrations make, in both engines."""

from __future__ import annotations

import runpy
from pathlib import Path

from gaiarouter.config.secret import Secret
from gaiarouter.store import open_database
from tests.packaging.checkout import ROOT
from tests.store.described import Table, postgres_tables, sqlite_tables
from tests.store.postgres_server import PostgresServer


async def test_the_page_has_every_table_column_and_index(tmp_path: Path, postgres: PostgresServer) -> None:
    postgres.clear()
    tables: list[dict[str, Table]] = []
    for url, read in ((f"sqlite:///{tmp_path}/gaia.db", sqlite_tables), (postgres.url, postgres_tables)):
        database = open_database(Secret(url))
        await database.open(migrate=True)
        tables.append(await read(database))
        await database.close()
    script = runpy.run_path(str(ROOT / ".ci" / "update_database_page.py"))
    page = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    assert page == script["page"](*tables), "run python .ci/update_database_page.py"
