"""From `provider:name` to a model. The only place that imports providers late.

Late, because a provider that is not used must cost neither start-up time nor an installed extra.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

from parlour.errors import ConfigurationError
from parlour.models.bounds import WireLimits
from parlour.models.port import Model, Served
from parlour.models.routes import Route

OPENAI_DEFAULT = "gpt-5.1"
ANTHROPIC_DEFAULT = "claude-sonnet-4-5"

POSSIBLE = (
    "openai:<model>, anthropic:<model>, local:, local:135m, local:/path/to/model.gguf, scripted:, "
    "scripted:/path/to/script.json, obedient: or langchain:<provider>:<model>"
)


def build_model(
    name: str,
    *,
    openai_api_key: str = "",
    openai_base_url: str = "https://api.openai.com/v1",
    anthropic_api_key: str = "",
    anthropic_base_url: str = "https://api.anthropic.com",
    data_dir: Path,
    cache_dir: Path,
    local_model: str = "",
    limits: WireLimits | None = None,
) -> Model:
    """The model that `PARLOUR_MODEL` names; see `settings.model` for what an empty name means.

    Raises `ConfigurationError` with the setting to change or the line to type.
    """
    if not name:
        return _first_available(
            openai_api_key=openai_api_key,
            openai_base_url=openai_base_url,
            anthropic_api_key=anthropic_api_key,
            anthropic_base_url=anthropic_base_url,
            local=lambda: _local(local_model, data_dir, cache_dir),
            limits=limits,
        )
    provider, colon, model = name.partition(":")
    match provider:
        case "openai":
            _need_model(name, model, f"openai:{OPENAI_DEFAULT}")
            return _openai(model, openai_api_key, openai_base_url, limits)
        case "anthropic":
            _need_model(name, model, f"anthropic:{ANTHROPIC_DEFAULT}")
            return _anthropic(model, anthropic_api_key, anthropic_base_url, limits)
        case "scripted":
            return _scripted(model)
        case "obedient":
            return _obedient()
        case "local":
            return _local(model or local_model, data_dir, cache_dir)
        case "langchain":
            _need_model(name, model, "langchain:google_genai:gemini-2.5-flash")
            return _langchain(model, limits)
        case _:
            what = f"the provider {provider!r}" if colon else f"no provider in {name!r}"
            raise ConfigurationError(f"PARLOUR_MODEL names {what}. Use {POSSIBLE}.")


def build_route(
    route: Route, *, api_key: str, data_dir: Path, cache_dir: Path, limits: WireLimits | None = None
) -> Model:
    """What calls a configured route.

    Raises `ConfigurationError`, also for parameters that this provider has no place for.
    """
    where = f"routes.{route.name}"
    extra, check = route.extra(), route.check
    if route.provider in {"openai", "anthropic", "langchain"} and not route.model.strip():
        raise ConfigurationError(f"`{where}.model` is empty: name the model that may answer.")
    match route.provider:
        case "openai":
            from parlour.models.openai import OpenAIModel

            _need_url(f"{where}.base_url", route.base_url)
            return OpenAIModel(
                route.model,
                base_url=route.base_url,
                api_key=api_key,
                limits=limits,
                extra=extra,
                check=check,
            )
        case "anthropic":
            from parlour.models.anthropic import AnthropicModel

            _need_url(f"{where}.base_url", route.base_url)
            return AnthropicModel(
                route.model,
                base_url=route.base_url,
                api_key=api_key,
                limits=limits,
                extra=extra,
                check=check,
            )
        case "scripted" | "local" | "langchain":
            if extra:
                raise ConfigurationError(
                    f"`{where}.parameters` and `{where}.gateway` are not for the provider "
                    f"{route.provider}; leave them out."
                )
            if route.base_url:
                raise ConfigurationError(
                    f"`{where}.base_url` would not be called: the provider {route.provider} "
                    "chooses the address itself. Leave it out."
                )
            if route.provider == "langchain":
                return _langchain(route.model, limits, check)
            return build_model(route.label, data_dir=data_dir, cache_dir=cache_dir, limits=limits)
        case _:
            raise ConfigurationError(
                f"`{where}.provider` is {route.provider!r}. Use openai, anthropic, local, "
                "scripted or langchain."
            )


def kind_of(name: str) -> Literal["hosted", "local", "scripted"]:
    """What people are told about where a model of this name runs."""
    provider = name.partition(":")[0]
    if provider in {"scripted", "obedient"}:
        return "scripted"
    return "local" if provider == "local" else "hosted"


def _first_available(
    *,
    openai_api_key: str,
    openai_base_url: str,
    anthropic_api_key: str,
    anthropic_base_url: str,
    local: Callable[[], Model],
    limits: WireLimits | None,
) -> Model:
    if openai_api_key:
        return _openai(OPENAI_DEFAULT, openai_api_key, openai_base_url, limits)
    if anthropic_api_key:
        return _anthropic(ANTHROPIC_DEFAULT, anthropic_api_key, anthropic_base_url, limits)
    try:
        return local()
    except ConfigurationError:  # no weights, or not the extra: the guide says how to get them
        return _scripted("")


def _openai(model: str, key: str, base_url: str, limits: WireLimits | None) -> Model:
    from parlour.models.openai import OpenAIModel

    _need_url("OPENAI_BASE_URL", base_url)
    return OpenAIModel(model, base_url=base_url, api_key=key, limits=limits)


def _anthropic(model: str, key: str, base_url: str, limits: WireLimits | None) -> Model:
    from parlour.models.anthropic import AnthropicModel

    _need_url("ANTHROPIC_BASE_URL", base_url)
    return AnthropicModel(model, base_url=base_url, api_key=key, limits=limits)


def _scripted(path: str) -> Model:
    from parlour.models.scripted import GUIDE, ScriptedModel

    script = Path(path).expanduser() if path else GUIDE
    return ScriptedModel(script, name=f"scripted:{Path(path).stem}")


def _obedient() -> Model:
    from parlour.models.obedient import ObedientModel

    return ObedientModel()


def _local(which: str, data_dir: Path, cache_dir: Path) -> Model:
    build = cast(
        "Callable[..., Model]", _of_extra("parlour.models.local", "build_local", extra="local")
    )
    return build(which, data_dir=data_dir, cache_dir=cache_dir)


def _langchain(model: str, limits: WireLimits | None, check: Served | None = None) -> Model:
    build = cast(
        "Callable[..., Model]",
        _of_extra("parlour.models.langchain", "build_langchain", extra="providers"),
    )
    return build(model, limits=limits, check=check)


def _of_extra(module: str, attribute: str, *, extra: str) -> object:
    """Something from a file of ours whose imports need an extra."""
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"PARLOUR_MODEL asks for a model that needs the package {error.name}, which is not "
            f"installed. Type: pip install 'parlour[{extra}]'"
        ) from None


def _need_model(name: str, model: str, example: str) -> None:
    if not model.strip():
        raise ConfigurationError(
            f"PARLOUR_MODEL is {name!r}, without a model. Write for example {example}."
        )


def _need_url(setting: str, url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{setting} is {url!r}. It begins with http:// or https://.")
