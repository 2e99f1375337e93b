"""What settings have to agree on with each other, before anything is made of them."""

from __future__ import annotations

from parlour.errors import ConfigurationError
from parlour.policy import Policy, changed
from parlour.settings import Settings
from parlour.tools.server import NAME

SECRET_CHARS_MIN = 32  # HS256 wants a key as long as its digest


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` for settings that cannot work together."""
    _check_secret(settings)
    _check_key(settings)
    for section, policy in sections(settings).items():
        _check_policy(settings, section, policy)


def sections(settings: Settings) -> dict[str, Policy]:
    """Every policy there is, by where it stands in the settings."""
    changes = {f"workspaces.{name}": change for name, change in settings.workspaces.items()}
    of_workspaces = {name: changed(settings.policy, change) for name, change in changes.items()}
    return {"policy": settings.policy, **of_workspaces}


def _check_secret(settings: Settings) -> None:
    secret = settings.secret.get_secret_value() if settings.secret else ""
    if secret and len(secret) < SECRET_CHARS_MIN:
        raise ConfigurationError(
            f"PARLOUR_SECRET has {len(secret)} characters; it needs {SECRET_CHARS_MIN} or more."
        )
    if not secret and settings.host not in {"127.0.0.1", "localhost", "::1"}:
        raise ConfigurationError(
            f"PARLOUR_HOST is {settings.host}, but without PARLOUR_SECRET only the loopback "
            "interface is served. Set PARLOUR_SECRET, or leave PARLOUR_HOST at 127.0.0.1."
        )


def _check_key(settings: Settings) -> None:
    """The providers themselves answer nobody without a key; a server of yours may."""
    fields = type(settings).model_fields
    for provider, key in (
        ("openai", settings.openai_api_key),
        ("anthropic", settings.anthropic_api_key),
    ):
        address = f"{provider}_base_url"
        away = getattr(settings, address) == fields[address].default
        if settings.model.startswith(f"{provider}:") and away and not key:
            raise ConfigurationError(
                f"PARLOUR_MODEL is {settings.model}, but {provider.upper()}_API_KEY is not set."
            )


def _check_policy(settings: Settings, section: str, policy: Policy) -> None:
    if policy.topics.route and policy.topics.route not in settings.routes:
        raise ConfigurationError(
            f"`{section}.topics.route` names {policy.topics.route}, which is no route. "
            "Name one of [routes], or leave it out."
        )
    for name in policy.routes.use:
        if name not in settings.routes:
            known = ", ".join(sorted(settings.routes)) or "none is configured"
            raise ConfigurationError(
                f"`{section}.routes.use` names the route {name!r}, which is not there ({known})."
            )
    for name in policy.privacy.clear_arguments:
        if name not in {NAME, *settings.mcp}:
            raise ConfigurationError(
                f"`{section}.privacy.clear_arguments` names the MCP server {name!r}, which is not "
                "there."
            )
