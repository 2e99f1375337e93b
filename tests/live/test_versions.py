"""The version before works on the new schema: no step takes away or demands what it does not know.

Each step is held against the one before it, in a real database. What an older Parlour writes goes
in still, and what it reads is there still, if every column stays as it was, a new one fills itself,
and no rule became tighter.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from parlour import store
from tests.postgres import fresh_database

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable = 'YES', column_default
FROM information_schema.columns WHERE table_schema = 'public'
"""
RULES = """
SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
UNIQUE = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, 'u', pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indisunique AND relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Schema:
    """Tables with their columns (type, may be null, default), and their rules by name."""

    columns: dict[tuple[str, str], tuple[str, bool, str | None]] = field(default_factory=dict)
    rules: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.columns}


def configured() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def revisions() -> list[str]:
    script = ScriptDirectory.from_config(configured())
    return [step.revision for step in script.walk_revisions()][::-1]


def upgrade(url: str, revision: str) -> Schema:
    """Bring the schema to a step, and look at it."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    with engine.begin() as connection:
        config = configured()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with psycopg.connect(url) as connection:
        columns = {(t, c): (k, null, d) for t, c, k, null, d in connection.execute(COLUMNS)}
        rules = {
            (table, name): (str(kind), definition)
            for query in (UNIQUE, RULES)
            for table, name, kind, definition in connection.execute(query)  # type: ignore[arg-type]
        }
    return Schema(columns, rules)


def looser(old: str, new: str) -> bool:
    """The same rule with more words in its list."""
    words = re.compile(r"'([^']*)'::text")
    return set(words.findall(old)) <= set(words.findall(new)) and (
        words.sub("", old).replace(", ", "") == words.sub("", new).replace(", ", "")
    )


def broken(old: Schema, new: Schema) -> list[str]:
    """What a Parlour that knows the old schema would run into."""
    found: list[str] = []
    for (table, column), (kind, null, default) in old.columns.items():
        now = new.columns.get((table, column))
        if now is None:
            found.append(f"{table}.{column} is gone")
        elif now[0] != kind or (null and not now[1]) or (default and not now[2]):
            found.append(f"{table}.{column} was {kind, null, default}, is {now}")
    for (table, column), (_, null, default) in new.columns.items():
        if table in old.tables and (table, column) not in old.columns and not (null or default):
            found.append(f"{table}.{column} is new and has to be given")
    for (table, name), (kind, definition) in new.rules.items():
        before = old.rules.get((table, name))
        known = {column for t, column in old.columns if t == table}
        about_old = any(re.search(rf"\b{column}\b", definition) for column in known)
        if table not in old.tables or not about_old or kind == "n":
            continue
        if before is None or not (before[1] == definition or looser(before[1], definition)):
            found.append(f"{table}: {name} is new or tighter: {definition}")
    return found


@pytest.fixture
async def empty(postgres: str) -> AsyncIterator[str]:
    async with fresh_database(postgres, migrated=False) as url:
        yield url


@pytest.mark.promise("P15")
async def test_no_step_breaks_the_version_before_it(empty: str) -> None:
    steps = revisions()
    assert len(steps) > 5
    before = upgrade(empty, steps[0])
    assert "turns" in before.tables
    for step in steps[1:]:
        after = upgrade(empty, step)
        assert broken(before, after) == [], step
        before = after


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("ALTER TABLE turns DROP COLUMN served_by", "is gone"),
        ("ALTER TABLE turns ALTER COLUMN served_by SET NOT NULL", "served_by was"),
        ("ALTER TABLE turns ADD COLUMN more TEXT NOT NULL", "has to be given"),
        ("ALTER TABLE turns ADD CHECK (fence < 9)", "tighter"),
        ("CREATE UNIQUE INDEX only_one ON turns (owner)", "tighter"),
        ("ALTER TABLE turns RENAME COLUMN owner TO process", "is gone"),
    ],
)
async def test_a_step_that_would_break_it_is_seen(
    database_url: str, statement: Any, word: str
) -> None:
    before = upgrade(database_url, "head")
    with psycopg.connect(database_url) as connection:
        connection.execute(statement)
    assert any(word in line for line in broken(before, upgrade(database_url, "head")))
