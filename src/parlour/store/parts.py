"""How the parts of a message are stored: as JSON that processes of other versions can read, too.

While a new version is brought out, older processes read what newer ones store, and the other way
round. So a kind of part that came later is stored inside one that every version knows: a notice
rides on a text without words. A part of a kind that this version does not know is kept as it is
(`domain.Part`), and stored again when the message is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from parlour.domain import KnownPart, NoticePart, Part


class _Notice(msgspec.Struct, frozen=True):
    kind: str
    text: str


class _Carrier(msgspec.Struct, tag_field="type", tag="text", frozen=True):
    """A text without words that carries a notice; who knows no notices sees nothing of it."""

    notice: _Notice
    text: str = ""
    round: int = 0


_CARRIED = '"notice"'  # a quote within a text is escaped, so no text looks like it
_encode = msgspec.json.Encoder().encode
_all = msgspec.json.Decoder(tuple[KnownPart, ...])
_each = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_one = msgspec.json.Decoder(KnownPart)
_carrier = msgspec.json.Decoder(_Carrier)


def stored(parts: Sequence[Part]) -> str:
    """The parts as the store keeps them."""
    return _encode([_carried(part) for part in parts]).decode()


def parts_in(written: str) -> tuple[Part, ...]:
    """The inverse; a part that this version cannot read is kept as it is."""
    if _CARRIED not in written:
        try:
            return _all.decode(written)
        except msgspec.ValidationError:
            pass  # one of them is of another version
    return tuple(_part(each) for each in _each.decode(written))


def _carried(part: Part) -> object:
    if isinstance(part, NoticePart):
        return _Carrier(_Notice(part.kind, part.text), round=part.round)
    return part


def _part(written: msgspec.Raw) -> Part:
    try:
        told = _carrier.decode(written)
    except msgspec.ValidationError:
        pass
    else:
        return NoticePart(told.notice.kind, told.notice.text, told.round)
    try:
        return _one.decode(written)
    except msgspec.ValidationError:
        # Without line ends: texts of many turns are told apart by them (`Turns.renew`).
        return msgspec.Raw(msgspec.json.format(bytes(written), indent=-1))
