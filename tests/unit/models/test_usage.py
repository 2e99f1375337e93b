"""What a call has used so far, asked while it goes on."""

from parlour import tokens
from parlour.models.port import ModelRequest
from parlour.models.usage import Spending, broken_usage

SAID = "Sales grew in most regions last quarter. " * 40


def test_what_grows_is_counted_as_the_whole_is() -> None:
    request = ModelRequest(messages=[{"role": "user", "content": "How are sales?"}])
    spending = Spending(request)
    for end in range(0, len(SAID), 300):
        spending.usage(said=SAID[:end], thought="")
    found = spending.usage(said=SAID, thought="Hm.")
    whole = broken_usage(request, said=SAID, thought="Hm.")
    assert (found.input, found.reasoning, found.estimated) == (whole.input, whole.reasoning, True)
    assert abs(found.output - whole.output) <= len(SAID) / 300 + 1


def test_nothing_new_counts_nothing() -> None:
    spending = Spending(ModelRequest(messages=[]))
    once = spending.usage(said=SAID, thought="")
    assert spending.usage(said=SAID, thought="") == once
    assert once.output == tokens.count(SAID)
