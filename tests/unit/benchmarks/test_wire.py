import base64
import json

import jwt
import pytest

from benchmarks import load, wire


def chunked(*pieces: bytes, status: int = 200) -> bytes:
    head = b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def native_frame(seq: int, text: str) -> bytes:
    event = json.dumps({"type": "token", "text": text})
    return f"id: turn:{seq}\nevent: token\ndata: {event}\n\n".encode()


def test_every_token_holds_one_mark_and_the_answer_is_their_sum() -> None:
    assert all(wire.token(index).count("^") == 1 for index in range(200))
    assert wire.answer(3) == "^Sales ^grew ^in"


def test_an_order_survives_being_said_within_other_words() -> None:
    assert wire.read_order(f"please {wire.order(30, 12)} now") == (30, 12)
    assert wire.read_order("hello") is None


def test_text_is_read_whatever_the_chunks_cut() -> None:
    stream = native_frame(1, "^Sales") + b": keep-alive\n\n" + native_frame(2, " ^grew")
    pieces = [stream[at : at + 7] for at in range(0, len(stream), 7)]
    assert wire.said(chunked(*pieces), wire.NATIVE) == "^Sales ^grew"


def test_each_dialect_reads_only_the_text_of_the_answer() -> None:
    assert wire.NATIVE.text({"type": "reasoning", "text": "^no"}) == ""
    assert wire.AI_SDK.text({"type": "text-delta", "id": "1", "delta": "^Sales"}) == "^Sales"
    assert wire.AI_SDK.text({"type": "data-status", "data": {"text": "^no"}}) == ""
    assert wire.OPENAI.text({"choices": [{"delta": {"content": "^Sales"}}]}) == "^Sales"
    assert wire.OPENAI.text({"choices": []}) == ""
    assert wire.REFERENCE.text({"content": "^Sales"}) == "^Sales"


def test_done_is_no_text() -> None:
    reply = chunked(b'data: {"content": "^Sales"}\n\n', b"data: [DONE]\n\n")
    assert wire.said(reply, wire.REFERENCE) == "^Sales"


def test_a_reply_with_a_length_is_read_too() -> None:
    assert wire.body(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") == b"{}"


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_cut_reply_is_an_error(cut: int) -> None:
    whole = chunked(native_frame(1, "^Sales"))
    with pytest.raises(ValueError, match="ends within"):
        wire.body(whole[:-cut] if cut > 5 else whole[:20])


def test_a_whole_reply_has_no_fault() -> None:
    reply = chunked(native_frame(1, "^Sales"), native_frame(2, " ^grew"))
    assert load.fault(reply, wire.NATIVE, 2) == ""


def test_a_lost_token_a_cut_and_a_refusal_are_faults() -> None:
    reply = chunked(native_frame(1, "^Sales"))
    assert load.fault(reply, wire.NATIVE, 2) == "wrong text: 1 of 2 tokens"
    assert load.fault(reply[:-9], wire.NATIVE, 1).startswith("cut:")
    assert load.fault(chunked(b"busy", status=503), wire.NATIVE, 1).startswith("status 503")
    problem = chunked(b'{"code":"no_room","request_id":"7"}', status=503)
    assert load.fault(problem, wire.NATIVE, 1) == "status 503: no_room"
    assert load.fault(b"", wire.NATIVE, 1) == "no reply"


def test_a_request_carries_the_token_of_its_user_and_its_length() -> None:
    head, _, body = wire.NATIVE.request(wire.Ask(7, "t1", 30, 5)).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/threads/t1/turns HTTP/1.1")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["text"] == "bench-30-5"
    claims = wire.bearer(7).split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "user-7"
    assert wire.bearer(7) == wire.bearer(7) != wire.bearer(8)


def test_the_signed_token_is_accepted_by_a_jwt_library() -> None:
    claims = jwt.decode(wire.bearer(1), wire.SECRET, algorithms=["HS256"], audience=wire.AUDIENCE)
    assert claims["workspace"] == "bench"
