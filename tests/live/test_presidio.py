"""Presidio as an extra: it works without a network and without a language model."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

def no_network(event, _):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise SystemExit("asked the network")

sys.addaudithook(no_network)
from parlour.safety.personal.find import find
from parlour.safety.personal.presidio import Presidio

presidio = Presidio()
text = "Medical license BB1388568, ITIN 911-70-1234, write to ann@example.org or see john.sm"
print([(f.kind, f.rule, text[f.start : f.end]) for f in presidio.find(text)])
more = presidio.find("pay 4111 1111 1111 1111")
print([f.kind for f in find("pay 4111 1111 1111 1111", ("card",), more)])
"""


def test_presidio_finds_numbers_offline() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    found, cards = done.stdout.strip().splitlines()[-2:]
    assert "'BB1388568'" in found
    assert "'911-70-1234'" in found
    assert "john.sm" not in found
    assert cards == "['card']"
