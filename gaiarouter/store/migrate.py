"""Which migrations a database still needs. Forward only; a file that has been applied never changes.

`0001_init.sql` is for every engine; where they must differ, `0006_days.postgres.sql` stands beside
`0006_days.sqlite.sql`. The engines apply them, each under a lock of its own kind, so that any number of processes may
start together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from gaiarouter.store.base import MigrationError

Engine = Literal["sqlite", "postgres"]

_FILE_NAME = re.compile(r"(\d{4})_\w+(?:\.(\w+))?\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of migrations/: `0001_init.sql` is version 1."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> Sequence[str]:
        """A statement ends with a `;` at the end of a line."""
        return [part for part in re.split(r"(?<=;)[ \t]*\n", self.sql) if part.strip()]


def load_migrations(engine: Engine) -> Sequence[Migration]:
    """Those shipped with the package for this engine, in order."""
    files = {file.name: file for file in resources.files("gaiarouter.store").joinpath("migrations").iterdir()}
    return [
        Migration(int(match[1]), name, files[name].read_text("utf-8"))
        for name in sorted(files)
        if (match := _FILE_NAME.fullmatch(name)) and match[2] in (None, engine)
    ]


def pending_migrations(shipped: Sequence[Migration], applied: Mapping[int, str]) -> Sequence[Migration]:
    """Those of `shipped` to apply now. applied: version to sha256. Raises MigrationError for a changed file, or a
    database that a newer program has migrated."""
    known = {migration.version: migration for migration in shipped}
    for version, sha256 in applied.items():
        if version not in known:
            raise MigrationError(
                f"The database is at version {version}, this program knows versions up to {max(known, default=0)}: "
                "start a newer gaiarouter, or go back to the database's backup."
            )
        if known[version].sha256 != sha256:
            raise MigrationError(
                f"{known[version].name} is not the file that was applied to this database: "
                "restore the file, and put the change into a new one."
            )
    return [migration for migration in shipped if migration.version not in applied]


def require_none(pending: Sequence[Migration]) -> None:
    """For a start that may not migrate. Raises MigrationError."""
    if pending:
        names = ", ".join(migration.name for migration in pending)
        raise MigrationError(f"The database lacks {names}: run `gaiarouter migrate`.")
