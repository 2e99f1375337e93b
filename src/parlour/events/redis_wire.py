"""How a turn lies in Redis, and how we connect to it.

A turn is one stream, `<prefix>:turn:<turn>`; one entry holds all events of one flush:

    id      <fence>-<mark>     mark = 2 x events in the stream up to here, + 1 when nothing follows
    at      sequence number of the first event in the entry
    events  their JSON, joined by newlines (JSON has none inside)
    end     absent while the turn runs, `closed` after its last event, `lost` when the rest is
            missing for ever

Redis refuses an id that is not above the last one. So the id itself fences: a former owner cannot
append after a later one, and a batch that is sent twice is stored once. `APPEND` checks in Redis
what is there before it adds, and answers where each stream stands; a writer that was cut off,
or whose Redis came back empty or older, goes on from that answer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

ANSWER_S = 2.0  # Redis answers in a millisecond; one that needs longer counts as away
RETRY_S_MIN = 0.05  # the first pause after a failure, doubled up to ...
RETRY_S_MAX = 1.0  # ... this, so that all is well a second after Redis is back
RUNNING_TTL_S = 3_600  # no turn is silent for so long; whose owner died must not stay for ever
FINISHED_TTL_S = 300  # later readers ask the store

FAILURES = (RedisError, OSError, TimeoutError)  # what a Redis that is away makes a call raise
FENCED = -1  # answer of APPEND: a later owner has written

# KEYS[i] is a stream; ARGV[2i-1] is "<fence> <events before> <mark after> <end>" and ARGV[2i] the
# events. Answers the mark of each stream afterwards, or -1, as one string: one reply is cheap to
# read, however many turns were written.
APPEND = f"""
local marks = {{}}
for i, key in ipairs(KEYS) do
  local fence, before, after, ended = string.match(ARGV[2 * i - 1], '(%d+) (%d+) (%d+) (%a*)')
  fence, before, after = tonumber(fence), tonumber(before), tonumber(after)
  local mark = 0
  local top = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if top then
    local top_fence, top_mark = string.match(top[1], '(%d+)-(%d+)')
    if tonumber(top_fence) > fence then
      mark = {FENCED}
    elseif tonumber(top_fence) == fence then
      mark = tonumber(top_mark)
    else
      redis.call('DEL', key)
    end
  end
  if ended == 'lost' then after = mark + 1 end
  local fits = math.floor(mark / 2) == before and mark % 2 == 0
  if mark >= 0 and (fits or ended == 'lost') and after > mark then
    local entry = {{'XADD', key, fence .. '-' .. after, 'at', before + 1}}
    if ARGV[2 * i] ~= '' then
      entry[#entry + 1] = 'events'
      entry[#entry + 1] = ARGV[2 * i]
    end
    if ended ~= '' then
      entry[#entry + 1] = 'end'
      entry[#entry + 1] = ended
    end
    redis.call(unpack(entry))
    redis.call('EXPIRE', key, ended == '' and {RUNNING_TTL_S} or {FINISHED_TTL_S})
    mark = after
  end
  marks[i] = mark
end
return table.concat(marks, ' ')
"""


@dataclass(frozen=True)
class Keys:
    """The names of our keys. Parlours that share a Redis have prefixes of their own."""

    prefix: str = "parlour"

    def turn(self, turn: str) -> str:
        """The stream of a turn's events."""
        return f"{self.prefix}:turn:{turn}"

    @property
    def stop(self) -> str:
        """The stream of requests to stop a turn, read by every process."""
        return f"{self.prefix}:stop"

    def process(self, process: str) -> str:
        """The stream by which a process wakes its own blocking read."""
        return f"{self.prefix}:process:{process}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a turn's stream."""

    fence: int
    at: int
    events: list[bytes]
    end: str

    @staticmethod
    def read(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
        """From what XREAD gives."""
        events = fields.get(b"events")
        return Entry(
            fence=int(entry_id.partition(b"-")[0]),
            at=int(fields[b"at"]),
            events=[] if events is None else events.split(b"\n"),
            end=fields.get(b"end", b"").decode(),
        )


def connect(url: str, *, connections: int, answer_s: float = ANSWER_S) -> Redis:
    """A client of at most `connections` connections that never retries by itself.

    Its callers know better: they repeat in their own time and from what Redis has. Nothing is
    connected before the first call.
    """
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        max_connections=connections,
        timeout=ANSWER_S,
        protocol=2,  # one shape of replies, from every version of Redis
        socket_timeout=answer_s,
        socket_connect_timeout=ANSWER_S,
        retry=Retry(NoBackoff(), 0),
        client_name="parlour",
    )
    return Redis(connection_pool=pool)


async def call(client: Redis, *command: Any) -> Any:  # a reply is whatever the command answers
    """One command. Raises one of `FAILURES`."""
    return await cast("Any", client).execute_command(*command)


class Link:
    """Whether Redis answers on one of our ways to it: logged when that changes, counted always."""

    def __init__(self, name: str) -> None:
        self.failures = 0
        self._name = name
        self._pause_s = 0.0

    @property
    def is_up(self) -> bool:
        """The last call worked (or none was made yet)."""
        return self._pause_s == 0

    def failed(self, error: BaseException) -> float:
        """Note a failed call; how many seconds to wait before the next."""
        self.failures += 1
        if self.is_up:
            logger.warning(
                "Redis does not answer (%s: %s). Turns and their readers in this process go on; "
                "other processes see them again when Redis is back.",
                self._name,
                error,
            )
        self._pause_s = min(RETRY_S_MAX, max(RETRY_S_MIN, 2 * self._pause_s))
        return self._pause_s

    def worked(self) -> None:
        """Note a call that worked."""
        if not self.is_up:
            self._pause_s = 0.0
            logger.warning("Redis answers again (%s).", self._name)
