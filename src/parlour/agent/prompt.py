"""What the model is told before the conversation: Parlour's words first, then the product's own.

The text is the same for every turn of a deployment, so that providers can cache it.
"""

from __future__ import annotations

from importlib import resources


def system_prompt(own_words: str = "") -> str:
    """The system message; `own_words` are the product team's (setting `system_prompt`)."""
    text = resources.files("parlour.agent").joinpath("prompts/system.md").read_text("utf-8")
    return f"{text.strip()}\n\n{own_words.strip()}".strip()
