"""What time it is in a zone, for machines and in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

ZONE_CHARS_MAX = 100  # The longest IANA name has 32 characters.


class UnknownZone(Exception):
    """No such time zone. The sentence names likely ones."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment in one zone. `offset` is like `+01:00`, `iso` has seconds and offset."""

    iso: str
    words: str
    zone: str
    offset: str
    weekday: str


def moment(zone: str, *, now: datetime | None = None) -> Moment:
    """The current time (or `now`, which must carry a zone) in an IANA zone such as `Europe/Berlin`.

    A city alone (`Tokyo`) and any case are understood. Raises `UnknownZone`.
    """
    name = _zone_name(zone)
    local = (now or datetime.now(UTC)).astimezone(ZoneInfo(name)).replace(microsecond=0)
    stamp = local.isoformat()
    offset = stamp[19:]
    where = name if name == "UTC" else f"{name}, UTC{offset}"
    words = f"{local:%A}, {local.day} {local:%B %Y}, {local:%H:%M} ({where})"
    return Moment(stamp, words, name, offset, f"{local:%A}")


def _zone_name(zone: str) -> str:
    asked = zone.strip().replace(" ", "_")
    if len(asked) > ZONE_CHARS_MAX:
        raise UnknownZone("That is not a time zone. Use an IANA name such as Europe/Berlin.")
    names = _names()
    found = names.get(asked.lower())
    if found is not None and _exists(found):
        return found
    near = get_close_matches(asked.lower(), names, n=3, cutoff=0.6)
    likely = f" Did you mean {', '.join(names[n] for n in near)}?" if near else ""
    raise UnknownZone(
        f"`{zone.strip()}` is not a known time zone.{likely} Use an IANA name such as "
        "Europe/Berlin, America/New_York or UTC."
    )


def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


@cache
def _names() -> dict[str, str]:
    """Lower-case name -> IANA name; a city stands for its zone when only one zone has it."""
    zones = sorted(z for z in available_timezones() if not z.startswith(("posix/", "right/")))
    names = {zone.lower(): zone for zone in zones}
    cities: dict[str, list[str]] = {}
    for zone in zones:
        area, _, city = zone.rpartition("/")
        if area and area.partition("/")[0] not in {"Etc", "SystemV", "US", "Brazil", "Mexico"}:
            cities.setdefault(city.lower(), []).append(zone)
    for city, found in cities.items():
        if len(found) == 1:
            names.setdefault(city, found[0])
    return names
