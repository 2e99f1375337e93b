"""Every failure has a code, a sentence and a place; none repeats what upstream said."""

from __future__ import annotations

from email.utils import formatdate
from time import time
from typing import Any

import msgspec
import pytest

from parlour.errors import Upstream
from parlour.models.failures import all_failures, failure_of, redacted
from parlour.models.refusals import refused, told


def test_each_failure_has_its_own_code_title_and_sentence() -> None:
    failures = list(all_failures())
    assert len(failures) >= 25
    for field in ("code", "title", "sentence"):
        values = [getattr(failure, field) for failure in failures]
        assert len(set(values)) == len(values)
        assert all(field in vars(failure) for failure in failures)
    for failure in failures:
        assert issubclass(failure, Upstream)
        assert failure.code.startswith("upstream_")
        assert failure.sentence.endswith(".")
        assert failure.__doc__
        assert str(failure()) == failure.sentence


def test_codes_are_found_with_and_without_their_prefix() -> None:
    assert failure_of("cut") is failure_of("upstream_cut")
    with pytest.raises(KeyError):
        failure_of("no_such_thing")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, b"", "bad_request"),
        (418, b"", "bad_request"),
        (500, b"<html>", "server_error"),
        (502, b"\xff\xfe", "server_error"),
        (522, b"", "gateway_timeout"),
        (301, b"", "redirect"),
        (413, b'{"error": {"message": "prompt is too long: 9 > 5"}}', "context_too_long"),
        (400, b'{"error": {"message": "maximum context length is 5"}}', "context_too_long"),
        (400, b'{"error": {"type": "exceed_context_size_error"}}', "context_too_long"),
        (400, b'{"error": {"message": "Your credit balance is too low"}}', "quota_spent"),
        (400, b'[{"error": {"code": 400, "status": "INVALID_ARGUMENT"}}]', "bad_request"),
        (404, b'{"detail": "Not Found"}', "model_unknown"),
        (429, b'{"error": "slow down"}', "rate_limited"),
        (529, b"null", "overloaded"),
    ],
)
def test_a_status_and_its_words_name_the_failure(status: int, body: bytes, code: str) -> None:
    assert refused(status, {}, body).code == f"upstream_{code}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None), ("7", 7), ("0.2", 1), ("-5", 0), ("1e9", 3600), ("inf", 3600), ("nan", None),
        ("tomorrow", None),
    ],
)  # fmt: skip
def test_retry_after_in_seconds(header: str, seconds: int | None) -> None:
    assert refused(429, {"Retry-After": header}, b"").retry_after_s == seconds


def test_retry_after_as_a_date() -> None:
    wait = refused(429, {"Retry-After": formatdate(time() + 30, usegmt=True)}, b"").retry_after_s
    assert wait is not None
    assert 28 <= wait <= 31


@pytest.mark.parametrize(
    "error", ["boom", None, 5, {"message": None}, {"error": {"error": {}}}, [], [1], {"code": {}}]
)
def test_any_error_object_is_some_failure(error: Any) -> None:
    assert told(error).code == "upstream_error_event"
    assert refused(500, {}, msgspec.json.encode(error)).code == "upstream_server_error"


def test_the_log_line_holds_no_key() -> None:
    detail = redacted("bad key sk-proj-Abc123456789 and Bearer abc.def-ghi\n" + "x" * 9_000)
    assert "Abc123" not in detail
    assert "abc.def" not in detail
    assert "\n" not in detail
    assert len(detail) <= 500
