"""Page context as the host sends it: what is looked at is checked here, cleaned in chat/page.py."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parlour.chat.page import PageContext
from parlour.errors import PageContextInvalid

Word = Annotated[str, Field(strict=True)]


class PageBody(BaseModel):
    """Where the user is. Everything is optional; what does not fit the names goes into `fields`."""

    model_config = ConfigDict(extra="forbid", title="PageContext")

    kind: Word = Field("", description="What kind of page: dashboard, chart, editor …")
    id: Word | Annotated[int, Field(strict=True)] = Field(
        "", description="The host's id of what is shown."
    )
    title: Word = Field("", description="Its title.")
    url: Word = Field("", description="Its address: http(s), or a path within the host.")
    fields: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="Anything else that is shown, as JSON."
    )
    selection: Word = Field("", description="What the user has selected.")
    text: Word = Field("", description="Free text in view, such as the SQL in an editor.")

    def to_page(self) -> PageContext:
        """The page as the host sent it."""
        return PageContext(
            kind=self.kind,
            id=str(self.id),
            title=self.title,
            url=self.url,
            fields=self.fields,
            selection=self.selection,
            text=self.text,
        )


def read_page(given: Any) -> PageContext:
    """A page from decoded JSON that came another way. Raises `PageContextInvalid`."""
    try:
        return PageBody.model_validate(given).to_page()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["context", *map(str, first["loc"])])
        raise PageContextInvalid(f"`{place}`: {first['msg']}.") from None
