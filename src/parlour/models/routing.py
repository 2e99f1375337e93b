"""From settings' plain values to a router: every route, what calls it, and who may use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from parlour.errors import ConfigurationError
from parlour.models.bounds import WireLimits
from parlour.models.port import Model
from parlour.models.registry import build_route
from parlour.models.routes import Route
from parlour.policy import Policies

DEFAULT = "default"  # the route that PARLOUR_MODEL makes
BASE_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def default_route(model: Model, *, base_url: str = "") -> Route:
    """The route of the model that PARLOUR_MODEL names; it takes what upstream reports."""
    provider, _, name = model.name.partition(":")
    return Route(DEFAULT, provider, name, base_url=base_url, served=("*",))


def build_routes(
    routes: Mapping[str, Route],
    *,
    key: Callable[[str], str],
    policies: Policies,
    data_dir: Path,
    cache_dir: Path,
    limits: WireLimits,
) -> dict[str, tuple[Route, Model]]:
    """What calls each route that some policy uses. `key` finds a key by its variable's name.

    Raises `ConfigurationError` for a policy that names a route which is not there, a key that is
    not set, and what `build_route` refuses.
    """
    built: dict[str, tuple[Route, Model]] = {}
    for name in dict.fromkeys(name for policy in policies.all() for name in policy.routes.use):
        route = routes.get(name)
        if route is None:
            known = ", ".join(sorted(routes)) or "none is configured"
            raise ConfigurationError(
                f"`policy.routes.use` names the route {name!r}, which is not there ({known})."
            )
        api_key = key(route.key) if route.key else ""
        if route.key and not api_key:
            raise ConfigurationError(
                f"`routes.{name}.key` names the environment variable {route.key}, which is not set."
            )
        model = build_route(
            route, api_key=api_key, data_dir=data_dir, cache_dir=cache_dir, limits=limits
        )
        built[name] = (route, model)
    return built
