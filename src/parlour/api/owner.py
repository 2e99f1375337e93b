"""A turn's events for its owner: masked values in clear again, whatever the face.

The log, the store and other processes have placeholders. This stands before the encoder of one
reader, so that the values are nowhere but in what is written to that reader.
"""

from __future__ import annotations

from parlour.api.sse import Encoder
from parlour.safety.personal.masks import Masks


class OwnersEncoder:
    """Any face's encoder, fed with the values in place of their placeholders."""

    def __init__(self, encoder: Encoder, masks: Masks) -> None:
        self._encoder = encoder
        self._masks = masks
        self.reset = encoder.reset
        self.end = encoder.end
        self.reconnect = encoder.reconnect

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """Events with what their owner may see."""
        masks = self._masks
        if masks.values:  # it may fill while the turn runs
            payloads = [masks.restore_json(payload) for payload in payloads]
        return self._encoder.encode(payloads, first)
