"""What people are always told: that they talk to an AI.

The text is no part of any prompt, so no prompt, rule or setting change can lose it.
"""

from __future__ import annotations

DISCLOSURE = "You are talking to an AI assistant. It can make mistakes; check important answers."
