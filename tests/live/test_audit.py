"""The audit chain on a real Postgres: nothing is changed, removed or added unseen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.errors import StoreUnavailable
from parlour.store.audit import BATCH_MAX, BODY_CHARS_MAX, Audit, canonical, facts_digest
from parlour.store.audit_read import AuditTrail
from parlour.store.database import Database

WORKSPACE = "acme"
SWAP_TWO_AND_THREE: LiteralString = """
UPDATE audit SET seq = -2 WHERE seq = 2; UPDATE audit_facts SET seq = -2 WHERE seq = 2;
UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit_facts SET seq = 2 WHERE seq = 3;
UPDATE audit SET seq = 3 WHERE seq = -2; UPDATE audit_facts SET seq = 3 WHERE seq = -2;
"""


@pytest.fixture
async def audit(database: Database) -> AsyncIterator[Audit]:
    it = Audit(database)
    yield it
    await it.close()


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    return AuditTrail(database)


async def write_five(audit: Audit) -> None:
    for number in range(1, 6):
        assert await audit.record(WORKSPACE, f"user-{number % 2}", "rule", {"n": number}) == number


async def tamper(database_url: str, *statements: LiteralString) -> None:
    """What somebody with all rights on the database does."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")  # no triggers
        for statement in statements:
            await connection.execute(statement)


async def test_links_are_numbered_densely_in_each_workspace(
    audit: Audit, trail: AuditTrail
) -> None:
    await write_five(audit)
    assert await audit.record("globex", "ann", "rule", {}) == 1
    verdict = await trail.verify(WORKSPACE)
    assert (verdict.seq, verdict.broken_at, verdict.erased) == (5, None, 0)
    assert verdict.head == (await trail.links(WORKSPACE))[0].hash
    assert await trail.workspaces() == ["acme", "globex"]


async def test_many_writers_make_one_chain(database: Database, trail: AuditTrail) -> None:
    audits = [Audit(database) for _ in range(4)]
    seqs = await asyncio.gather(
        *(audits[n % 4].record(WORKSPACE, "ann", "rule", {"n": n}) for n in range(60))
    )
    assert sorted(seqs) == list(range(1, 61))
    assert (await trail.verify(WORKSPACE)).broken_at is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET kind = 'admin'",
        "DELETE FROM audit",
        "TRUNCATE audit CASCADE",
        "UPDATE audit_facts SET user_id = 'bob'",
        "TRUNCATE audit_facts",
    ],
)
async def test_the_database_refuses_to_change_what_is_written(
    audit: Audit, database: Database, statement: LiteralString
) -> None:
    await write_five(audit)
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        await database.fetch(statement)


@pytest.mark.promise("P31")
@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET kind = 'admin' WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 3", 3),
        ("UPDATE audit SET turn = 't' WHERE seq = 3", 3),
        ("UPDATE audit SET hash = sha256('x') WHERE seq = 4", 4),
        ("UPDATE audit SET facts = sha256('x') WHERE seq = 1", 1),
        ("UPDATE audit_facts SET user_id = 'bob' WHERE seq = 2", 2),
        ("""UPDATE audit_facts SET body = '{"n":3 }' WHERE seq = 3""", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit_facts WHERE seq = 4", 4),
        ("UPDATE audit SET seq = 7 WHERE seq = 5", 5),
        (SWAP_TWO_AND_THREE, 2),
        (
            "INSERT INTO audit SELECT workspace, 6, at, kind, turn, facts, hash FROM audit LIMIT 1",
            6,
        ),
    ],
)
async def test_the_first_broken_link_is_found(
    audit: Audit, trail: AuditTrail, database_url: str, statement: LiteralString, broken_at: int
) -> None:
    await write_five(audit)
    await tamper(database_url, statement)
    verdict = await trail.verify(WORKSPACE)
    assert verdict.broken_at == broken_at
    assert verdict.why


async def test_a_chain_that_was_made_anew_has_another_head(
    audit: Audit, trail: AuditTrail, database_url: str
) -> None:
    await write_five(audit)
    kept = await trail.verify(WORKSPACE)
    await tamper(database_url, "DELETE FROM audit_facts", "DELETE FROM audit")
    await write_five(audit)
    again = await trail.verify(WORKSPACE)
    assert (again.seq, again.broken_at) == (kept.seq, None)
    assert again.head != kept.head


@pytest.mark.promise("P31")
async def test_erasing_a_person_leaves_a_chain_that_verifies(
    audit: Audit, trail: AuditTrail, database: Database
) -> None:
    await write_five(audit)
    await audit.record("globex", "user-1", "rule", {"n": 1})
    assert await audit.erase(WORKSPACE, "user-1", by="root") == 3
    verdict = await trail.verify(WORKSPACE)
    assert (verdict.seq, verdict.broken_at, verdict.erased) == (6, None, 3)
    newest = (await trail.links(WORKSPACE))[0]
    assert (newest.kind, newest.body) == (
        "erasure",
        {"by": "root", "seqs": [[1, 1], [3, 3], [5, 5]]},
    )
    assert [link.user for link in await trail.links(WORKSPACE)][1:] == [None, "user-0"] * 2 + [None]
    assert await trail.links(WORKSPACE, user="user-1") == []
    assert len(await trail.links("globex", user="user-1")) == 1
    assert await audit.erase(WORKSPACE, "user-1") == 0
    assert await audit.erase(WORKSPACE, "") == 0
    rows = await database.fetch("SELECT count(*) FROM audit_facts WHERE user_id = 'user-1'")
    assert rows == [(1,)]


async def test_notes_are_written_in_their_order_and_without_waiting(
    audit: Audit, trail: AuditTrail
) -> None:
    many = BATCH_MAX * 2 + 3
    for number in range(many):
        audit.note(WORKSPACE if number % 50 else "globex", "ann", "rule", {"n": number}, turn="t_1")
    await audit.flush()
    links = await trail.links(WORKSPACE, limit=many)
    numbers = [link.body["n"] for link in reversed(links) if link.body]
    assert numbers == [n for n in range(many) if n % 50]
    assert links[0].turn == "t_1"
    for workspace in (WORKSPACE, "globex"):
        assert (await trail.verify(workspace)).broken_at is None


async def test_a_closed_audit_has_written_its_notes(database: Database, trail: AuditTrail) -> None:
    audit = Audit(database)
    audit.start()
    audit.note(WORKSPACE, "ann", "rule", {"n": 1})
    await audit.close()
    assert len(await trail.links(WORKSPACE)) == 1


async def test_notes_that_do_not_fit_are_counted_in_the_chain(
    database: Database, trail: AuditTrail
) -> None:
    size = len(canonical({"n": 1}))
    audit = Audit(database, queue_chars_max=3 * size)
    for number in range(5):
        audit.note(WORKSPACE, "ann", "rule", {"n": number})
    await audit.close()
    links = await trail.links(WORKSPACE)
    assert [link.kind for link in links] == ["rule", "rule", "rule", "lost"]
    assert links[-1].body == {"notes": 2}


async def test_notes_wait_while_the_database_does_not_answer(
    trail: AuditTrail, database: Database, database_url: str
) -> None:
    hasty = await Database.open(f"{database_url}&options=-c%20lock_timeout%3D100ms")
    audit = Audit(hasty)
    audit.note(WORKSPACE, "ann", "rule", {"n": 1})
    async with database.connection() as busy, busy.transaction():
        await busy.execute("SELECT pg_advisory_xact_lock(hashtextextended('audit acme', 0))")
        with pytest.raises(StoreUnavailable):
            await audit.flush()
    await audit.flush()
    await hasty.close()
    assert len(await trail.links(WORKSPACE)) == 1


async def test_links_are_found_by_person_kind_and_time(audit: Audit, trail: AuditTrail) -> None:
    await write_five(audit)
    await audit.record(WORKSPACE, "user-1", "approval", {"tool": "x"})
    first, *_, last = reversed(await trail.links(WORKSPACE))
    assert [link.seq for link in await trail.links(WORKSPACE, user="user-1")] == [6, 5, 3, 1]
    assert [link.seq for link in await trail.links(WORKSPACE, kind="approval")] == [6]
    assert [link.seq for link in await trail.links(WORKSPACE, since=last.at)] == [6]
    assert [link.seq for link in await trail.links(WORKSPACE, until=last.at, limit=2)] == [5, 4]
    assert [link.seq for link in await trail.links(WORKSPACE, before=3)] == [2, 1]
    assert await trail.links(WORKSPACE, until=first.at) == []


@pytest.mark.parametrize("size", [BODY_CHARS_MAX - 20, BODY_CHARS_MAX * 3])
async def test_a_body_over_the_bound_is_cut_and_verifies(
    audit: Audit, trail: AuditTrail, size: int
) -> None:
    await audit.record(WORKSPACE, "ann", "rule", {"text": "x" * size})
    body = (await trail.links(WORKSPACE))[0].body
    assert body is not None
    assert ("sha256" in body) == (size > BODY_CHARS_MAX)
    assert (await trail.verify(WORKSPACE)).broken_at is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.dictionaries(st.text(), JSON, max_size=4))
def test_any_body_has_one_digest_whatever_the_order_of_its_names(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    salt = b"0" * 16
    assert facts_digest("ann", canonical(body), salt) == facts_digest(
        "ann", canonical(turned), salt
    )
    assert facts_digest("ann", canonical(body), b"1" * 16) != facts_digest(
        "ann", canonical(body), salt
    )


async def test_odd_text_comes_back_as_it_was(audit: Audit, trail: AuditTrail) -> None:
    odd = {"nul": "a\0b", "half": "\ud800", "words": "naïve ✓ 漢", "n": 1.5e300}
    await audit.record(WORKSPACE, "ann", "rule", odd)
    assert (await trail.links(WORKSPACE))[0].body == odd
    assert (await trail.verify(WORKSPACE)).broken_at is None
