"""What the model is told before the conversation: who it is, the rules of conduct
(safety/rules.toml), then the product's own words.

The text is the same for every turn of a deployment, so that providers can cache it.
"""

from __future__ import annotations

from importlib import resources

from parlour.safety.conduct_rules import as_prompt


def system_prompt(own_words: str = "") -> str:
    """The system message; `own_words` are the product team's (setting `system_prompt`)."""
    text = resources.files("parlour.agent").joinpath("prompts/system.md").read_text("utf-8")
    return f"{text.strip()}\n\n{as_prompt()}\n\n{own_words.strip()}".strip()
