"""A token for one user at one server: minted here, good for minutes, and never the host's own.

The server learns who asks from a signature it can check, and can do nothing with the token anywhere
else: the audience is the server itself, and the key is not the one that opens Parlour.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

import jwt

from parlour.domain import Principal
from parlour.errors import ConfigurationError

LIFETIME_S_MAX = 300
RENEW_AT = 0.5  # of its life: a call that begins now may be checked a minute later
KEY_CHARS_MIN = 32  # HS256 wants a key as long as its digest
_OURS = frozenset({"iss", "sub", "aud", "iat", "exp", "nbf", "jti"})


@dataclass(frozen=True, slots=True)
class TokenRule:
    """How tokens for one server are made. `subject` and `claims` name claims of the host's token.

    Raises `ConfigurationError` for a key or a lifetime that is no good.
    """

    key: str = field(repr=False)
    audience: str
    algorithm: str = "HS256"
    issuer: str = "parlour"
    subject: str = "sub"
    claims: tuple[str, ...] = ()
    seconds: int = LIFETIME_S_MAX
    header: str = "Authorization"

    def __post_init__(self) -> None:
        if self.algorithm == "HS256" and len(self.key) < KEY_CHARS_MIN:
            raise ConfigurationError(
                f"The key of the tokens for {self.audience} has {len(self.key)} characters; HS256 "
                f"needs {KEY_CHARS_MIN} or more."
            )
        if not 0 < self.seconds <= LIFETIME_S_MAX:
            raise ConfigurationError(
                f"Tokens for {self.audience} may live for 1 to {LIFETIME_S_MAX} seconds."
            )
        if taken := _OURS.intersection(self.claims):
            raise ConfigurationError(
                f"Tokens for {self.audience} cannot pass on {', '.join(sorted(taken))}: Parlour "
                "says these itself."
            )
        try:
            jwt.encode({}, self.key, algorithm=self.algorithm)
        except (ValueError, TypeError, NotImplementedError, jwt.PyJWTError) as error:
            raise ConfigurationError(
                f"The key of the tokens for {self.audience} is no {self.algorithm} key: {error}."
            ) from None

    def passed_on(self, principal: Principal) -> dict[str, object]:
        """What is said of the user besides the dates; equal for equal identities."""
        said: dict[str, object] = {"sub": str(principal.user)}
        if self.subject != "sub":
            said["sub"] = str(principal.claims.get(self.subject) or principal.user)
        for name in self.claims:
            if name in principal.claims:
                said[name] = principal.claims[name]
        return said


class Mint:
    """The current token of one user at one server; made anew when half its life is over."""

    def __init__(self, rule: TokenRule, principal: Principal) -> None:
        self._rule = rule
        self._said = {"iss": rule.issuer, "aud": rule.audience, **rule.passed_on(principal)}
        self._headers: dict[str, str] = {}
        self._renew_at = 0.0

    def headers(self) -> dict[str, str]:
        """The header that goes with the next request."""
        rule, now = self._rule, time.time()
        if not self._headers or not self._renew_at - rule.seconds <= now < self._renew_at:
            claims = {
                **self._said,
                "iat": int(now),
                "exp": int(now) + rule.seconds,
                "jti": secrets.token_hex(8),
            }
            token = jwt.encode(claims, rule.key, algorithm=rule.algorithm)
            scheme = "Bearer " if rule.header.lower() == "authorization" else ""
            self._headers = {rule.header: scheme + token}
            self._renew_at = now + rule.seconds * RENEW_AT
        return self._headers
