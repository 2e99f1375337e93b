"""Signatures of questions and decisions: any change shows, and only the key can make them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from parlour.chat.seals import SIGNED, Signer, same, stored_key

ASKED: dict[str, Any] = {
    "id": "p_1",
    "turn": "t_1",
    "call_id": "k",
    "server": "notes",
    "tool": "add_note",
    "arguments": {"text": "milk", "tags": ["a", {"b": 1.5}]},
    "digest": "d",
    "acts_as": "Ann",
}
KEY = b"k" * 32


@pytest.mark.parametrize("field", SIGNED)
def test_a_change_of_any_field_shows(field: str) -> None:
    signer = Signer(KEY)
    changed = {**ASKED, field: {"text": "mulk"} if field == "arguments" else "other"}
    assert not same(signer.sign(changed), signer.sign(ASKED))


def test_the_order_of_arguments_is_no_change() -> None:
    signer = Signer(KEY)
    turned = {**ASKED, "arguments": dict(reversed(ASKED["arguments"].items()))}
    assert same(signer.sign(turned), signer.sign(ASKED))


def test_a_decision_is_sealed_for_who_made_it() -> None:
    signer = Signer(KEY)
    signature = signer.sign(ASKED)
    seal = signer.seal(signature, "approve", "ann")
    assert not same(seal, signer.seal(signature, "decline", "ann"))
    assert not same(seal, signer.seal(signature, "approve", "bob"))
    assert not same(signature, seal)
    assert not same(None, seal)
    assert not same(seal, Signer(b"o" * 32).seal(signature, "approve", "ann"))


def test_a_data_directory_has_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = stored_key(folder)
    assert len(key) == 32
    assert stored_key(folder) == key
    assert stat.S_IMODE((folder / "approvals.key").stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["approvals.key"]
