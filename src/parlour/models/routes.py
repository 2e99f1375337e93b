"""Routes: exactly which model, at which provider, in which region, on which terms.

A route is a frozen value. Its digest is stored with every turn, so that what served an answer can
be shown years later. Nothing is ever served by anything but the routes that the workspace's
policy names; `serves` judges what upstream says it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

import msgspec

from parlour.errors import ConfigurationError, Problem
from parlour.models.failures import WrongServer

# What a request is made of; a route's parameters may add to it, and never say otherwise.
# The most tokens of a reply are among it: they are reserved before it is asked for.
OURS = frozenset(
    {
        *("model", "messages", "system", "tools", "stream", "stream_options", "n"),
        *("max_tokens", "max_completion_tokens"),
    }
)

# A snapshot of the model that was asked for: the providers add its date to the name.
_SNAPSHOT = re.compile(r"-(?:20\d{2}-?\d{2}-?\d{2}|latest|\d{4})")


class RouteUnavailable(Problem):
    """No approved route can answer now, and no other is ever taken. `retry_after_s` says when."""

    code = "route_unavailable"
    status = 503
    title = "No approved model can answer now"
    retryable = True

    def __init__(self, sentence: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(sentence)
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a model.

    `provider` names the API spoken (`openai`, `anthropic`, `local`, `scripted`, `langchain`),
    `upstream` the company behind a gateway. `key` is the name of the environment variable with
    the key, never the key. `parameters` and what `gateway` adds go into every request as they are.
    `served` are further names (or patterns) under which upstream may report the model; `*` accepts
    whatever it reports.
    """

    name: str
    provider: str
    model: str
    base_url: str = ""
    region: str = ""
    key: str = ""
    retention: str = ""
    gateway: str = ""
    upstream: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    served: tuple[str, ...] = ()
    digest: str = field(init=False, compare=False, repr=False)
    """SHA-256 over everything but the route's own name, in hex."""

    def __post_init__(self) -> None:
        """Make the digest, once: every model call asks for it several times."""
        object.__setattr__(self, "digest", self._hashed())

    def _hashed(self) -> str:
        fields = {
            "provider": self.provider,
            "model": self.model,
            "base_url": self.base_url.rstrip("/"),
            "region": self.region,
            "key": self.key,
            "retention": self.retention,
            "gateway": self.gateway,
            "upstream": self.upstream,
            "parameters": dict(self.parameters),
            "served": sorted(self.served),
        }
        return hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).hexdigest()

    @property
    def label(self) -> str:
        """`provider:model`, as people know it."""
        return f"{self.provider}:{self.model}"

    def extra(self) -> dict[str, Any]:
        """What goes into every request beside the conversation.

        Raises `ConfigurationError` for a gateway that is not known, and for parameters that would
        undo what the route promises.
        """
        fields, taken = {}, set(OURS)
        if self.gateway:
            fields = gateway_fields(self.gateway, upstream=self.upstream)
            taken |= {*fields, *_gateway(self.gateway)["never"]}
        if wrong := sorted(taken & self.parameters.keys()):
            raise ConfigurationError(
                f"`routes.{self.name}.parameters` has {', '.join(wrong)}, which the route itself "
                "decides. Leave it out."
            )
        return {**fields, **self.parameters}

    def serves(self, model: str, upstream: str = "") -> bool:
        """Whether an answer reported as `model` (by `upstream`, at a gateway) is of this route.

        A report that says nothing is no proof.
        """
        if upstream and self.upstream and upstream.lower() != self.upstream.lower():
            return False
        if "*" in self.served:
            return True
        if model == self.model or any(fnmatchcase(model, name) for name in self.served):
            return True
        own = self.model.rpartition("/")[2] if self.gateway else self.model
        said = model.rpartition("/")[2] if self.gateway else model
        if self.provider == "langchain":  # whose model is `<provider>:<model>`
            own = own.partition(":")[2]
        return said == own or (
            said.startswith(own) and _SNAPSHOT.fullmatch(said, len(own)) is not None
        )

    def check(self, model: str, upstream: str = "") -> None:
        """Raise `WrongServer` unless `serves`."""
        if not self.serves(model, upstream):
            what = f"{model or 'a model without a name'}{f' by {upstream}' if upstream else ''}"
            raise WrongServer(f"{what} answered for the route {self.name} ({self.model})")


def gateway_fields(gateway: str, *, upstream: str) -> dict[str, Any]:
    """The fields that forbid a gateway to fall back or to collect data (models/gateways.json).

    Raises `ConfigurationError` for a gateway that is not in the file, and for one that has to be
    told which provider is meant and is not.
    """
    fields: dict[str, Any] = _gateway(gateway)["fields"]
    filled: dict[str, Any] = _filled(fields, upstream)
    if not upstream and filled != fields:
        raise ConfigurationError(
            f"The gateway {gateway} has many providers: name the one that may answer in `upstream`."
        )
    return filled


def _gateway(name: str) -> dict[str, Any]:
    known: dict[str, Any] = msgspec.json.decode(
        resources.files("parlour.models").joinpath("gateways.json").read_bytes()
    )
    if name not in known:
        raise ConfigurationError(
            f"There is no gateway {name!r}; Parlour knows {', '.join(sorted(known))}. Leave it "
            "empty and put the fields that pin the provider into `parameters`."
        )
    return known[name]


def _filled(value: Any, upstream: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, upstream) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_filled(inner, upstream) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    return upstream if value == "{upstream}" else value
