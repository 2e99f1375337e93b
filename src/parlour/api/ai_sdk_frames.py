"""Events as the AI SDK's UI message stream (protocol v1, as spoken by `ai` 6 and 7).

One unknown frame type, one null for an absent field or one delta without its start kills the
client's whole stream, so: ours are `data-*` only, absent keys are left out, parts are opened and
closed here and nowhere else. Replay is always from `start`, with the same ids.
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from parlour.events import types as ev
from parlour.events.types import TOKEN, known

DONE = b"data: [DONE]\n\n"
FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
}
_dump = msgspec.json.Encoder().encode
_TEXT = b'data: {"type":"text-delta","id":%b,"delta":%b}\n\n'
_TEXT_AT = len(TOKEN)
_REASONING = b'data: {"type":"reasoning-delta","id":%b,"delta":%b}\n\n'


def frame(**fields: Any) -> bytes:
    """One frame; `type` first among the fields, None left out."""
    return b"data: %b\n\n" % _dump({k: v for k, v in fields.items() if v is not None})


class AiSdkEncoder:
    """Translates one turn for one reader. `modern` clients know the frames added in `ai` 7.

    `going_on`: the reader has sent a decision and holds the message up to there, so what a turn
    says again is left out. Who resumes gets it all.
    """

    def __init__(self, *, modern: bool = False, going_on: bool = False) -> None:
        self._modern = modern
        self._going_on = going_on
        self._left_out = 0  # events that are still to be left out
        self._open = ""  # "text" or "reasoning"
        self._part = b""  # JSON of the open part's id
        self._parts = 0
        self._in_step = False
        self._usage: dict[str, Any] | None = None

    def reset(self, reason: str) -> bytes | None:
        """Cannot be said within a stream: cut it, the client comes back for a full replay."""
        del reason
        return None

    def reconnect(self) -> bytes | None:
        """A clean end would look like success to this client: cut the line instead."""
        return None

    def end(self) -> bytes:
        """The conventional last frame."""
        return DONE

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """All frames of some events."""
        del first
        frames: list[bytes] = []
        for payload in payloads:
            if self._left_out:
                self._left_out -= 1
            elif self._open == "text" and payload.startswith(TOKEN):
                # The text stays the JSON that it is.
                frames.append(_TEXT % (self._part, payload[_TEXT_AT:-1]))
            elif (event := known(payload)) is not None:
                frames.append(self._event(event))
        return b"".join(frames)

    def _event(self, event: ev.Event) -> bytes:  # noqa: C901  # one branch for each event
        match event:
            case ev.Token():
                return self._delta("text", _TEXT, event.text)
            case ev.Reasoning():
                return self._delta("reasoning", _REASONING, event.text)
            case ev.Plan():
                return self._plan(event)
            case ev.ToolCall():
                return self._tool_call(event)
            case ev.ToolResult():
                return self._step() + self._tool_result(event)
            case ev.RoundEnd():
                return self._round_end(event)
            case ev.Finalize():
                return self._finalize(event)
            case ev.UsageReport():
                usage: dict[str, Any] = msgspec.to_builtins(event)
                usage.pop("type")
                self._usage = usage
                return frame(type="message-metadata", messageMetadata={"usage": usage})
            case ev.Approval():
                return self._approval(event)
            case ev.Source():
                return _source(event)
            case ev.Restart():
                return self._restart(event)
            case ev.Replace():
                return self._step() + self._close() + _data(event)
            case ev.Status() | ev.Progress() | ev.Notice():
                return _data(event)
            case _:
                assert_never(event)

    def _delta(self, kind: str, template: bytes, text: str) -> bytes:
        if self._open == kind:
            return template % (self._part, _dump(text))
        opening = self._step() + self._close()
        self._parts += 1
        part = f"{kind[0]}{self._parts}"
        self._open, self._part = kind, _dump(part)
        return opening + frame(type=f"{kind}-start", id=part) + template % (self._part, _dump(text))

    def _close(self) -> bytes:
        """End the open text or reasoning part, if there is one."""
        if not self._open:
            return b""
        closing = b'data: {"type":"%b-end","id":%b}\n\n' % (self._open.encode(), self._part)
        self._open = ""
        return closing

    def _step(self) -> bytes:
        if self._in_step:
            return b""
        self._in_step = True
        return frame(type="start-step")

    def _end_step(self) -> bytes:
        closing = self._close()
        if self._in_step:
            self._in_step = False
            closing += frame(type="finish-step")
        return closing

    def _plan(self, event: ev.Plan) -> bytes:
        if self._going_on:
            self._left_out = event.repeats
            self._in_step = True  # the one whose calls are settled now
        return frame(
            type="start",
            messageId=event.message_id,
            messageMetadata={
                "turnId": event.turn_id,
                "threadId": event.thread_id,
                "userMessageId": event.user_message_id,
                "model": event.model,
                "disclosure": event.disclosure,
            },
        )

    def _tool_call(self, event: ev.ToolCall) -> bytes:
        call: dict[str, Any] = {
            "toolCallId": event.call_id,
            "toolName": event.name,
            "title": event.title,
            "dynamic": True,  # on both frames, or the client makes two parts
        }
        return (
            self._step()
            + self._close()
            + frame(type="tool-input-start", **call)
            + b"data: %b\n\n"
            % _dump({"type": "tool-input-available", **call, "input": event.arguments})
        )

    def _tool_result(self, event: ev.ToolResult) -> bytes:
        if event.status == "declined":
            return frame(type="tool-output-denied", toolCallId=event.call_id)
        if event.status == "failed":
            return frame(
                type="tool-output-error",
                toolCallId=event.call_id,
                errorText=event.text,
                dynamic=True,
            )
        output: dict[str, Any] = {
            "status": "ok",
            "text": event.text,
            "elapsedMs": event.elapsed_ms,
        }
        if event.widget is not None:
            output["widget"] = event.widget
        return frame(
            type="tool-output-available", toolCallId=event.call_id, output=output, dynamic=True
        )

    def _round_end(self, event: ev.RoundEnd) -> bytes:
        return self._end_step() + frame(
            type="data-round",
            id=f"round-{event.round}",
            data={"round": event.round, "kind": event.kind},
        )

    def _approval(self, event: ev.Approval) -> bytes:
        return frame(
            type="tool-approval-request",
            approvalId=event.approval_id,
            toolCallId=event.call_id,
            approvalDescriptor={
                "name": event.name,
                "title": event.title,
                "actsAs": event.acts_as,
                "undoable": event.undoable,
                "expiresAt": event.expires_at,
                "server": event.server,
                "tool": event.tool,
                "arguments": event.arguments,
                "reason": event.reason,
            },
        )

    def _restart(self, event: ev.Restart) -> bytes:
        closing = self._close()
        data = frame(type="data-restart", data={"round": event.round, "reason": event.reason})
        if self._modern and self._in_step:
            return closing + frame(type="reset-step") + data
        return closing + data

    def _finalize(self, event: ev.Finalize) -> bytes:
        metadata: dict[str, Any] = {"status": event.status, "elapsedMs": event.elapsed_ms}
        if event.first_token_ms is not None:
            metadata["firstTokenMs"] = event.first_token_ms
        if self._usage:
            metadata["usage"] = self._usage
        closing = self._end_step()
        if event.error is not None:
            error = msgspec.to_builtins(event.error)
            metadata["error"] = error
            return (
                closing
                + frame(type="message-metadata", messageMetadata=metadata)
                + frame(type="error", errorText=_dump(error).decode())
            )
        if event.status == "stopped":
            metadata["stopped"] = True
            reason = "interrupted" if self._modern else "other"
        elif event.status == "waiting":
            reason = "tool-calls"
        else:
            reason = FINISH_REASONS.get(event.finish_reason, "other")
        return closing + frame(type="finish", finishReason=reason, messageMetadata=metadata)


def _source(event: ev.Source) -> bytes:
    if event.url:
        return frame(
            type="source-url", sourceId=event.source_id, url=event.url, title=event.title or None
        )
    return frame(
        type="source-document",
        sourceId=event.source_id,
        mediaType="application/octet-stream",
        title=event.title,
        filename=event.document or None,
        providerMetadata={"parlour": {"page": event.page}} if event.page else None,
    )


def _data(event: ev.Status | ev.Progress | ev.Replace | ev.Notice) -> bytes:
    data = msgspec.to_builtins(event)
    kind = data.pop("type")
    transient = True if isinstance(event, ev.Status | ev.Progress) else None
    return frame(type=f"data-{kind}", data=data, transient=transient)
