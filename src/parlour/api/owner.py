"""A turn's events for its owner: masked values in clear again, whatever the face.

The log, the store and other processes have placeholders. This stands before the encoder of one
reader, so that the values are nowhere but in what is written to that reader. What a person is asked
about is left as the tool's server will get it: they decide on that.
"""

from __future__ import annotations

from collections.abc import Collection

from parlour.api.sse import Encoder
from parlour.events.types import Approval, decode
from parlour.safety.personal.masks import Masks

_APPROVAL = b'{"type":"approval",'


class OwnersEncoder:
    """Any face's encoder, fed with the values in place of their placeholders.

    `trusted` are the tool servers that get the values themselves.
    """

    def __init__(self, encoder: Encoder, masks: Masks, trusted: Collection[str] = ()) -> None:
        self._encoder = encoder
        self._masks = masks
        self._trusted = trusted
        self.reset = encoder.reset
        self.end = encoder.end
        self.reconnect = encoder.reconnect

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """Events with what their owner may see."""
        if self._masks.values:  # it may fill while the turn runs
            payloads = [self._clear(payload) for payload in payloads]
        return self._encoder.encode(payloads, first)

    def _clear(self, payload: bytes) -> bytes:
        if payload.startswith(_APPROVAL):
            asked = decode(payload)
            if isinstance(asked, Approval) and asked.server not in self._trusted:
                return payload
        return self._masks.restore_json(payload)
