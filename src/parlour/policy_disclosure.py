"""The section `disclosure` of the policy: what people are told before they talk."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OwnDisclosure(_Section):
    """A text that a workspace shows beside what the rules ask for."""

    text: dict[str, str] = Field(description="The words by language; `en` has to be there.")
    version: int = Field(1, ge=1, description="Raise it when people have to see the text again.")
    interval_minutes: int | None = Field(
        None, ge=1, description="Minutes of active time after which it is shown again."
    )
    surfaces: tuple[str, ...] = Field(
        (), description="Where it is shown: chat, api, openai, terminal; empty = everywhere."
    )

    @field_validator("text")
    @classmethod
    def _check_text(cls, value: dict[str, str]) -> dict[str, str]:
        if not value.get("en", "").strip():
            raise ValueError("the text is missing in `en`, to which other languages fall back")
        return value


class DisclosurePolicy(_Section):
    """What people are told before they talk. A workspace can add to it, never take away."""

    jurisdiction: str = Field(
        "",
        description="Where the people are when their token does not say: codes of ISO 3166 or the "
        "name of an area; empty = not known, so that every rule holds.",
    )
    uses: tuple[str, ...] = Field(
        (),
        description="What the assistant is for, where rules ask: `companion`, `consequential`, "
        "`election`, `regulated_occupation`, `sales`.",
    )
    add: dict[str, OwnDisclosure] = Field(
        default_factory=dict[str, OwnDisclosure],
        description="Texts of your own by name, shown beside those of the rules.",
    )
