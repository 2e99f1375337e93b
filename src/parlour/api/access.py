"""Who is asking: the host's signed token becomes a Principal.

With a secret, every request carries `Authorization: Bearer <JWT>` (HS256; `sub`, `workspace`,
`aud`, `exp` required). Without one there is a single local user, and only requests that really come
to the loopback interface are served: a web page elsewhere cannot reach it by a rebound name (the
Host is checked), nor by a request of its own (so is the Origin, which browsers send with all that
could do something), nor by a form (bodies have to be JSON, which a form cannot send).
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

import jwt
from fastapi import Request

from parlour.domain import Principal, UserId, WorkspaceId
from parlour.errors import Forbidden, Unauthenticated

ALGORITHMS = ["HS256"]
LEEWAY_S = 60  # clocks of host and server may differ by so much
ID = re.compile(r"[A-Za-z0-9_.@:|-]{1,128}")
PROVEN_MAX = 4_096  # tokens that need no second proof, about 1 KB each
LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "[::1]"}

LOCAL = Principal(WorkspaceId("local"), UserId("local"), name="You", tier="local", local=True)


class Proven:
    """Tokens that were proved a moment ago: a signature takes 150 microseconds, a look 2.

    Kept by their hash, each for as long as it is good; whoever was used least makes room.
    """

    def __init__(self, most: int = PROVEN_MAX) -> None:
        self._most = most
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    def get(self, token: str, now: float) -> Principal | None:
        """Whom a token proves at `now` (seconds since 1970); None when it has to be checked."""
        key = _hash(token)
        good_until, principal = self._known.get(key, (0.0, None))
        if now >= good_until:
            self._known.pop(key, None)
            return None
        self._known.move_to_end(key)
        return principal

    def put(self, token: str, principal: Principal, good_until: float) -> None:
        """`token` was proved, and is good until then (seconds since 1970)."""
        self._known[_hash(token)] = (good_until, principal)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Access:
    """Turns a request into a principal."""

    def __init__(self, *, secret: str, audience: str) -> None:
        self._secret = secret
        self._audience = audience
        self._proven = Proven()

    @property
    def local(self) -> bool:
        """One local user, no tokens."""
        return not self._secret

    # Async although it awaits nothing: FastAPI runs plain functions in a thread.
    async def principal(self, request: Request) -> Principal:
        """The principal of a request. Raises `Unauthenticated` or `Forbidden`."""
        if self.local:
            origin = request.headers.get("origin", "//localhost")
            if not (_loopback(f"//{request.headers.get('host', '')}") and _loopback(origin)):
                raise Forbidden(
                    "Without PARLOUR_SECRET only the loopback address is served, under the name "
                    "localhost or 127.0.0.1, and to pages from there. Set PARLOUR_SECRET to serve "
                    "others."
                )
            return LOCAL
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Unauthenticated("Send the host's token as `Authorization: Bearer <token>`.")
        return self.from_token(token.strip())

    async def admin(self, request: Request) -> Principal:
        """The principal of a request that only administrators may make: the role `admin` in the
        token, or the one local user. Raises `Unauthenticated` or `Forbidden`."""
        principal = await self.principal(request)
        if not (principal.local or "admin" in principal.roles):
            raise Forbidden("Only administrators of the workspace may do that.")
        return principal

    def from_token(self, token: str) -> Principal:
        """The principal that a token proves. Raises `Unauthenticated`."""
        known = self._proven.get(token, time.time())
        if known is not None:
            return known
        claims = _whole(self._claims(token))
        principal = _principal(claims)
        self._proven.put(token, principal, float(claims["exp"]) + LEEWAY_S)
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                self._secret,
                algorithms=ALGORITHMS,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(
                "The token has expired. Reload the page to get a new one."
            ) from None
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(f"The token is not valid: {error}.") from None


def _loopback(address: str) -> bool:
    """Whether an address (`http://localhost:8321`, `//[::1]`) names this machine."""
    try:
        return f"{urlsplit(address).hostname}" in {name.strip("[]") for name in LOOPBACK_HOSTS}
    except ValueError:  # a name that is none
        return False


def _whole(value: Any) -> Any:  # Any: JSON of the host's
    """Claims without halves of characters, as a name that was cut within an emoji has them: such
    text can be neither sent nor stored."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_whole(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _principal(claims: dict[str, Any]) -> Principal:
    return Principal(
        workspace=WorkspaceId(_id(claims, "workspace")),
        user=UserId(_id(claims, "sub")),
        name=_text(claims, "name", "", 200),
        roles=frozenset(str(role)[:64] for role in _list(claims.get("roles"))),
        tier=_text(claims, "tier", "free", 64),
        jurisdiction=_text(claims, "jurisdiction", "", 64),
        locale=_text(claims, "locale", "en", 35),
        claims=claims,
    )


def _id(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise Unauthenticated(
            f"The token's `{name}` has to be a text of 1 to 128 letters, digits or _.@:|-"
        )
    return value


def _text(claims: dict[str, Any], name: str, default: str, most: int) -> str:
    """A claim that may be left out: null and what is no text count as absent."""
    value = claims.get(name)
    return value[:most].replace("\x00", "") if isinstance(value, str) else default


def _list(value: object) -> list[Any]:
    return list(value)[:64] if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
