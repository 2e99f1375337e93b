"""The audit chain: what was done and shown, so that nobody can change it unseen.

Each workspace has a chain of its own. A link's hash is

    SHA-256(hash before it | seq | time in microseconds | SHA-256(head of the link))

with the head `{"facts", "kind", "turn", "workspace"}` as canonical JSON; `facts` is
SHA-256(salt | user and body as canonical JSON). The facts stand beside the chain, so a person can
be erased: the digest stays, without its salt it says nothing, and an `erasure` link says what went.
The database makes seq, time and hash in one statement under a lock per workspace.

`record` returns once the link is on the disk. `note` only queues: for what is counted in passing
(a rule that was hit), where nobody may wait. What did not fit in the queue is a link too: `lost`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import secrets
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import structlog

from parlour.errors import StoreUnavailable
from parlour.store.database import Database

log = structlog.get_logger("parlour.audit")

QUEUE_CHARS_MAX = 8_000_000  # of notes that wait for the database
BATCH_MAX = 200  # links of one statement, so that a `record` never waits long behind notes
FLUSH_S = 0.5
CLOSE_S = 3.0
BODY_CHARS_MAX = 64_000  # of the canonical JSON; a link is evidence, not an archive
SALT_BYTES = 16


Statement = tuple[LiteralString, Mapping[str, Any]]  # Any: whatever Postgres takes


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link before it has its place."""

    workspace: str
    user: str
    kind: str
    body: str  # canonical JSON
    turn: str | None = None


class Audit:
    """Appends to the chains. One for the process; `start` it once, `close` it at the end."""

    def __init__(self, database: Database, *, queue_chars_max: int = QUEUE_CHARS_MAX) -> None:
        self._database = database
        self._queue: deque[NewLink] = deque()
        self._queued_chars = 0
        self._queue_chars_max = queue_chars_max
        self._lost: Counter[str] = Counter()  # workspace -> notes that did not fit
        self._wake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write what is noted, in the background."""
        self._task = asyncio.create_task(self._repeat(), name="audit")

    async def close(self) -> None:
        """Write what is still queued, for a few seconds at most."""
        self._closing = True
        self._wake.set()
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._task:
                    await self._task
                await self.flush()
        except (StoreUnavailable, TimeoutError):
            log.error("audit_notes_lost", notes=len(self._queue) + self._lost.total())

    async def record(
        self,
        workspace: str,
        user: str,
        kind: str,
        body: dict[str, Any],  # JSON, whatever belongs to the kind
        *,
        turn: str | None = None,
        beside: Sequence[Statement] = (),
    ) -> int:
        """Append a link; returns its seq, once it is on the disk. Raises `StoreUnavailable`.

        Statements `beside` it are run after it in the same transaction; the chain is locked, so the
        link is the newest of its workspace.
        """
        link = NewLink(workspace, user, kind, canonical(body), turn)
        return (await self._append([link], beside))[0]

    def note(
        self,
        workspace: str,
        user: str,
        kind: str,
        body: dict[str, Any],  # JSON, whatever belongs to the kind
        *,
        turn: str | None = None,
    ) -> None:
        """Append a link soon. Never waits and never raises; a full queue is noted as a loss."""
        link = NewLink(workspace, user, kind, canonical(body), turn)
        if self._queued_chars + len(link.body) > self._queue_chars_max:
            self._lost[workspace] += 1
            return
        self._queue.append(link)
        self._queued_chars += len(link.body)
        if len(self._queue) >= BATCH_MAX:
            self._wake.set()

    async def flush(self) -> None:
        """Write everything that is queued now. Raises `StoreUnavailable`; then it stays queued."""
        async with self._flushing:
            for workspace, count in list(self._lost.items()):
                await self._append([NewLink(workspace, "", "lost", canonical({"notes": count}))])
                self._lost[workspace] -= count
            self._lost = +self._lost
            while self._queue:
                # Neighbours of one workspace, so that the order of its notes stays.
                _, neighbours = next(itertools.groupby(self._queue, key=lambda n: n.workspace))
                batch = list(itertools.islice(neighbours, BATCH_MAX))
                await self._append(batch)
                for _ in batch:
                    self._drop_first()

    def _drop_first(self) -> NewLink:
        link = self._queue.popleft()
        self._queued_chars -= len(link.body)
        return link

    async def erase(self, workspace: str, user: str, *, by: str = "") -> int:
        """Forget who a person is in a chain that stays verifiable; returns how many links it was.

        Raises `StoreUnavailable`.
        """
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_LOCK, {"workspace": workspace})
            found = await connection.execute(
                "DELETE FROM audit_facts WHERE workspace = %(workspace)s AND user_id = %(user)s"
                " AND user_id <> '' RETURNING seq",
                {"workspace": workspace, "user": user},
            )
            seqs = sorted(row[0] for row in await found.fetchall())
            await connection.execute(
                "DELETE FROM receipts WHERE workspace = %(workspace)s AND user_id = %(user)s",
                {"workspace": workspace, "user": user},
            )
            if seqs:
                body = canonical({"seqs": _ranges(seqs), "by": by})
                values = _values([NewLink(workspace, "", "erasure", body)])
                await connection.execute(_APPEND, values)
        return len(seqs)

    async def _append(
        self, links: Sequence[NewLink], beside: Sequence[Statement] = ()
    ) -> list[int]:
        """Append links of one workspace, in their order."""
        async with self._database.connection() as connection:
            async with connection.pipeline(), connection.transaction():
                await connection.execute(_LOCK, {"workspace": links[0].workspace})
                cursor = await connection.execute(_APPEND, _values(links))
                for statement, values in beside:
                    await connection.execute(statement, values)
            return [row[0] for row in await cursor.fetchall()]

    async def _repeat(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("audit_without_store", queued=len(self._queue), error=str(error))
            except Exception:
                # One link that cannot be written must not stand before all others for ever.
                log.exception("audit_note_refused")
                if self._queue:
                    self._lost[self._drop_first().workspace] += 1


def canonical(value: Any) -> str:  # any JSON
    """The one way to write a value, so that its digest can be made again.

    What is not JSON is written as text; more than `BODY_CHARS_MAX` is cut and says so.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    if len(text) <= BODY_CHARS_MAX:
        return text
    cut = {"cut": text[: BODY_CHARS_MAX // 2], "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return json.dumps(cut, sort_keys=True, separators=(",", ":"))


def facts_digest(user: str, body: str, salt: bytes) -> bytes:
    """What the chain holds of the facts; `body` is canonical JSON."""
    said = f'{{"body":{body},"user":{json.dumps(user)}}}'
    return hashlib.sha256(salt + said.encode()).digest()


def link_digest(workspace: str, kind: str, turn: str | None, facts: bytes) -> bytes:
    """What the chain holds of a link beside its place and time."""
    head = {"workspace": workspace, "kind": kind, "turn": turn, "facts": facts.hex()}
    return hashlib.sha256(canonical(head).encode()).digest()


def _values(links: Sequence[NewLink]) -> dict[str, Any]:
    """The links of one workspace as columns."""
    salts = [secrets.token_bytes(SALT_BYTES) for _ in links]
    facts = [
        facts_digest(link.user, link.body, salt) for link, salt in zip(links, salts, strict=True)
    ]
    return {
        "workspace": links[0].workspace,
        "kinds": [link.kind for link in links],
        "turns": [link.turn for link in links],
        "users": [link.user for link in links],
        "bodies": [link.body for link in links],
        "salts": salts,
        "facts": facts,
        "digests": [
            link_digest(link.workspace, link.kind, link.turn, digest)
            for link, digest in zip(links, facts, strict=True)
        ],
    }


def _ranges(seqs: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as pairs of first and last."""
    ranges: list[list[int]] = []
    for seq in seqs:
        if ranges and seq == ranges[-1][1] + 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    return ranges


# A statement of its own: the next one has to look at the chain after it has waited.
_LOCK: LiteralString = (
    "SELECT pg_advisory_xact_lock(hashtextextended('audit ' || %(workspace)s, 0))"
)

_APPEND: LiteralString = """
WITH RECURSIVE head AS (
  SELECT coalesce(max(seq), 0) AS seq FROM audit WHERE workspace = %(workspace)s),
new AS (
  SELECT * FROM unnest(%(kinds)s::text[], %(turns)s::text[], %(users)s::text[], %(bodies)s::text[],
    %(salts)s::bytea[], %(facts)s::bytea[], %(digests)s::bytea[])
    WITH ORDINALITY AS new(kind, turn, user_id, body, salt, facts, digest, n)),
clock AS (SELECT clock_timestamp() AS at),
chain AS (
  SELECT 0::bigint AS n, head.seq, coalesce(
    (SELECT a.hash FROM audit a WHERE a.workspace = %(workspace)s AND a.seq = head.seq), ''::bytea
  ) AS hash FROM head
  UNION ALL
  SELECT new.n, chain.seq + 1, sha256(chain.hash || int8send(chain.seq + 1)
    || int8send((extract(epoch FROM clock.at) * 1000000)::bigint) || new.digest)
  FROM chain JOIN new ON new.n = chain.n + 1 CROSS JOIN clock),
links AS (
  INSERT INTO audit (workspace, seq, at, kind, turn, facts, hash)
  SELECT %(workspace)s, chain.seq, clock.at, new.kind, new.turn, new.facts, chain.hash
  FROM chain JOIN new ON new.n = chain.n CROSS JOIN clock),
facts AS (
  INSERT INTO audit_facts (workspace, seq, user_id, body, salt)
  SELECT %(workspace)s, chain.seq, new.user_id, new.body::json, new.salt
  FROM chain JOIN new ON new.n = chain.n)
SELECT seq FROM chain WHERE n > 0 ORDER BY n
"""
