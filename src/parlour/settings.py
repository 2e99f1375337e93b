"""Every setting, read once into one frozen tree.

Sources, strongest first: the environment (`PARLOUR_PORT=8080`, nested with two underscores:
`PARLOUR_LIMITS__TURNS_MAX=100`), then `parlour.toml` in the working directory (or the file named by
`PARLOUR_CONFIG`), then the defaults below. Only `app.py` and `cli.py` see this tree; rooms receive
plain values. docs/reference/settings.md is generated from the descriptions here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from parlour.errors import ConfigurationError
from parlour.mcp_settings import McpServer
from parlour.policy import Policies, Policy, changed
from parlour.setting_rules import Address, Sendable, of_variables, sentence, strangers

ADDRESSES = {
    "database_url": ("postgresql://user:password@host:5432/name", "postgres://…"),
    "redis_url": ("redis://host:6379/0", "rediss://…", "unix:///path/to/redis.sock"),
}
OWN_NAMES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LimitSettings(_Section):
    """Bounds; each one has a test on both sides of it."""

    body_bytes_max: int = Field(
        1_000_000, ge=1_000, description="Largest request body in bytes; more is a 413."
    )
    message_chars_max: int = Field(
        100_000, ge=1, description="Longest user message in characters; more is a 413."
    )
    turns_max: int = Field(
        2_000, ge=1, description="Turns that run at once in one process; more wait, then get a 503."
    )
    turn_wait_s: float = Field(
        1.0, ge=0, description="How long a new turn waits for room before it is refused."
    )
    turn_s_max: float = Field(120, gt=0, description="Seconds a turn may take.")
    reply_tokens_max: int = Field(4_096, ge=1, description="Tokens of one model reply.")
    log_bytes_max: int = Field(
        8_000_000, ge=10_000, description="Bytes of events one turn may say; more ends the turn."
    )
    lease_s: float = Field(
        10,
        ge=1,
        description="A turn whose process has been silent for so long is gone on with by another; "
        "a process speaks up five times in it.",
    )
    status_s: float = Field(
        2,
        gt=0,
        description="Seconds without anything new to see, after which people are told in words "
        "what the answer waits for; again after 5, 15 and 30 times as long.",
    )
    reader_stall_s: float = Field(
        30, gt=0, description="A reader that takes nothing for so long is dropped; it can resume."
    )


class ModelSettings(_Section):
    """How model providers are called."""

    connect_s: float = Field(10, gt=0, description="Seconds to connect to a provider.")
    first_byte_s: float = Field(30, gt=0, description="Seconds until the first byte of a reply.")
    idle_s: float = Field(30, gt=0, description="Seconds of silence within a reply.")
    total_s: float = Field(600, gt=0, description="Seconds for one whole reply.")
    beat_s: float = Field(
        0.06,
        ge=0,
        le=0.5,
        description="While 8 or more replies stream, what a provider says is read and sent on this "
        "beat (seconds; it grows from a fifth of a core on, to 5/3 of that at a third), "
        "so that a token costs a third of the CPU. First words never wait, slow replies do not "
        "either; the page itself shows news every 0.05 s. 0 = each token at once.",
    )
    line_bytes_max: int = Field(
        1_000_000, ge=1_000, description="Longest line of a provider's stream in bytes."
    )
    tries_max: int = Field(
        3, ge=1, description="Calls on one route for one reply, before its first word is shown."
    )
    retry_s_max: float = Field(
        20, ge=0, description="Seconds that all tries of one reply may take before the last begins."
    )
    breaker_failures: int = Field(
        3, ge=1, description="Failures in a row after which a route is left alone."
    )
    breaker_s: float = Field(
        60, gt=0, description="Seconds that such a route is left alone; then one call tries it."
    )
    temperature: float | None = Field(
        None, ge=0, le=2, description="Sampling temperature; empty = the provider's default."
    )


class RouteSettings(_Section):
    """One way to a model, as approved: where it runs, on which terms. Every field is part of the
    route's digest, which is stored with each turn."""

    provider: Literal["openai", "anthropic", "local", "scripted", "langchain"] = Field(
        description="The API that is spoken: `openai` is any OpenAI-compatible one."
    )
    model: str = Field(
        "", description="The exact model, a dated snapshot where the provider has them."
    )
    base_url: Address = Field(
        "", description="Base URL; empty = the provider's own. It decides the region at most."
    )
    region: str = Field("", description="Where it runs, in the words of your contract.")
    key: str = Field("", description="Name of the environment variable that holds the key.")
    retention: str = Field("", description="What the provider keeps, in the words of the contract.")
    gateway: str = Field(
        "",
        description="`openrouter` or `litellm`: sends the fields that forbid it to fall back or to "
        "collect data.",
    )
    upstream: str = Field("", description="The one provider behind the gateway.")
    parameters: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Further fields of every request, as the provider spells them.",
    )
    served: tuple[str, ...] = Field(
        (),
        description="Further names (or patterns) under which upstream may report the model; `*` "
        "takes whatever it reports. A dated snapshot of the model needs no word here.",
    )


class PriceSettings(_Section):
    """Where newer prices of models come from; Parlour comes with a list, so offline is fine."""

    url: Address = Field(
        "",
        description="A list in the format of genai-prices, fetched while Parlour runs: its "
        "address, or `genai-prices` for the one that the library keeps on GitHub. Empty = never.",
    )
    every_s: float = Field(86_400, ge=1, description="Seconds between two fetches.")


class RetentionSettings(_Section):
    """How long is kept what nobody looks at any more; conversations stay until they are deleted."""

    events_days: float = Field(
        7, ge=0, description="Days that the exact events of an ended turn are kept for replay."
    )
    hidden_days: float = Field(
        30, ge=0, description="Days that conversations of the stateless OpenAI face are kept."
    )


class TraceSettings(_Section):
    """Where spans go; they have no texts in them."""

    endpoint: Address = Field(
        "",
        description="Address of an OpenTelemetry collector for traces over HTTP, "
        "`http://host:4318/v1/traces`; empty = none. Needs the extra `[otel]`.",
    )
    headers: dict[str, Sendable] = Field(
        default_factory=dict[str, Sendable], description="Headers sent with every export."
    )


class Settings(BaseSettings):
    """The whole tree. Top-level names are `PARLOUR_<NAME>` in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PARLOUR_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8321, ge=0, le=65_535, description="Port to listen on; 0 = any free one.")
    data_dir: Path = Field(
        Path(".parlour"), description="Where the own database, model weights and logs live."
    )
    cache_dir: Path = Field(
        Path("~/.cache/parlour"),
        description="Where downloaded model weights lie; several data directories share them.",
    )
    secret: SecretStr | None = Field(
        None,
        description="Key (32 characters or more) of the host's HS256 tokens. Without it Parlour "
        "serves the loopback interface only, as one local user without limits.",
    )
    audience: str = Field("parlour", description="`aud` that the host's tokens must carry.")
    model: str = Field(
        "",
        description="`provider:name`, e.g. `openai:gpt-5.1`, `anthropic:claude-sonnet-4-5`, "
        "`local:` (the embedded model), `local:/path/to/model.gguf`, `scripted:` or "
        "`scripted:/path/to/script.json`, `obedient:` (to test guards), `langchain:provider:name`. "
        "Empty = the first of: "
        "OPENAI_API_KEY, ANTHROPIC_API_KEY, the embedded model, the scripted guide.",
    )
    local_model: Literal["", "1.5b", "0.5b", "135m"] = Field(
        "",
        description="Which embedded model `local:` means: `1.5b`, `0.5b` or `135m`. Empty = `1.5b` "
        "where 4 GB of memory are available, else `135m`.",
    )
    openai_api_key: Sendable | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="Key of the OpenAI-compatible API."
    )
    openai_base_url: Address = Field(
        "https://api.openai.com/v1",
        validation_alias="OPENAI_BASE_URL",
        description="Base URL of the OpenAI-compatible API.",
    )
    anthropic_api_key: Sendable | None = Field(
        None, validation_alias="ANTHROPIC_API_KEY", description="Key of the Anthropic API."
    )
    anthropic_base_url: Address = Field(
        "https://api.anthropic.com",
        validation_alias="ANTHROPIC_BASE_URL",
        description="Base URL of the Anthropic API.",
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://… of your Postgres; empty = our own, in the data directory."
    )
    redis_url: SecretStr | None = Field(
        None, description="redis://… when several processes serve; empty = memory, one process."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text (for people) or json (for machines)."
    )
    public_url: Address = Field(
        "", description="Address under which people reach Parlour, when a proxy stands before it."
    )
    shutdown_s: float = Field(
        25,
        gt=0,
        description="Seconds for running turns to finish on shutdown; exit is at most 5 s later.",
    )
    unready_s: float = Field(
        3,
        ge=0,
        description="Seconds of `shutdown_s` (half of them at most) in which a process that was "
        "told to leave still serves, and says that it is not ready, so that load balancers send "
        "people elsewhere. None where only the one local user is served.",
    )
    system_prompt: str = Field(
        "", description="Your own words to the model, after Parlour's: who it is, what it is for."
    )
    limits: LimitSettings = Field(default_factory=lambda: LimitSettings.model_validate({}))
    models: ModelSettings = Field(default_factory=lambda: ModelSettings.model_validate({}))
    retention: RetentionSettings = Field(
        default_factory=lambda: RetentionSettings.model_validate({})
    )
    routes: dict[str, RouteSettings] = Field(
        default_factory=dict[str, RouteSettings],
        description="Approved ways to models, by name; `policy.routes.use` says who uses which.",
    )
    prices: PriceSettings = Field(default_factory=lambda: PriceSettings.model_validate({}))
    traces: TraceSettings = Field(default_factory=lambda: TraceSettings.model_validate({}))
    mcp: dict[str, McpServer] = Field(
        default_factory=dict[str, McpServer],
        description="MCP servers by name; see the section below.",
    )
    policy: Policy = Field(default_factory=Policy)
    workspaces: dict[str, dict[str, Any]] = Field(
        default_factory=dict[str, dict[str, Any]],
        description="What is different in one workspace: the sections of `policy`, by workspace.",
    )

    @model_validator(mode="after")
    def _check_workspaces(self) -> Self:
        for name, changes in self.workspaces.items():
            try:
                changed(self.policy, changes)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(["workspaces", name, *map(str, first["loc"])])
                if first["type"] == "extra_forbidden":
                    raise ValueError(f"`{field}` is not a setting of Parlour") from None
                raise ValueError(f"`{field}`: {first['msg']}") from None
        return self

    def secret_values(self) -> tuple[str, ...]:
        """Every secret of the deployment, so that no answer says one."""
        held = [self.secret, self.openai_api_key, self.anthropic_api_key]
        held += [v for server in self.mcp.values() for v in server.headers.values()]
        return tuple(value.get_secret_value() for value in held if value is not None)

    def policies(self) -> Policies:
        """The policy of every workspace."""
        changes = {name: changed(self.policy, c) for name, c in self.workspaces.items()}
        return Policies(self.policy, changes)

    @field_validator("database_url", "redis_url")
    @classmethod
    def _check_address(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        like = ADDRESSES[str(info.field_name)]
        schemes = tuple(f"{address.partition('://')[0]}://" for address in like)
        if value is not None and not value.get_secret_value().startswith(schemes):
            raise ValueError(f"it has to look like {' or '.join(like)}")  # a password stays unsaid
        try:
            # A Postgres address may name several hosts, which only its library can part.
            if value is not None and "," not in value.get_secret_value():
                _ = urlsplit(value.get_secret_value()).port
        except ValueError:
            raise ValueError("its port is no number from 0 to 65535") from None
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _check_port(cls, value: object) -> object:
        if isinstance(value, str) and value.startswith("tcp://"):
            raise ValueError(
                "Kubernetes sets it for a service of the name `parlour`; set it yourself, or "
                "`enableServiceLinks: false` for the pod"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file."""
        file = Path(os.environ.get("PARLOUR_CONFIG", "parlour.toml"))
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file))


def read_settings(**overrides: Any) -> Settings:
    """Read all settings. Raises `ConfigurationError` with a sentence that names the setting."""
    file = os.environ.get("PARLOUR_CONFIG")
    if file and not Path(file).is_file():
        raise ConfigurationError(f"PARLOUR_CONFIG names {file}, but there is no such file.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError(sentence(error, OWN_NAMES)) from None
    except SettingsError as error:
        field = str(error).partition('"')[2].partition('"')[0]
        raise ConfigurationError(of_variables(field, os.environ)) from None
    except ValueError as error:  # a TOML file that is not TOML
        name = file or "parlour.toml"
        raise ConfigurationError(f"{name} cannot be read as TOML: {error}.") from None


def unknown_variables() -> list[str]:
    """A sentence for each variable of the environment that is spelled like a setting and is none.

    It stops nobody: other programs may have variables of that name.
    """
    return strangers(os.environ, Settings.model_fields)
