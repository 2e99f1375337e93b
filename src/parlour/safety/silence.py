"""How long a model may be silent in the middle of something before a filter decides without it."""

from __future__ import annotations

# A reader sees the pause of the model, and no more of one than this because of a filter.
PAUSE_S = 0.15
# What begins like an address that may be shown is worth more whole than early: providers pause for
# half a second in the middle of one, and its beginning alone tells a reader nothing.
STALL_S = 2.0
