"""The common reference design: FastAPI, LangGraph's `create_agent`, messages streamed as SSE.

What most tutorials and templates build: one `create_agent` with a tool, `ChatOpenAI`, and a
`StreamingResponse` over `astream(stream_mode="messages")`. It checks no token, keeps no event log,
stores nothing and cannot resume, so it does less than Parlour for each token; that favours it.
Needs the dependency group `bench`, which `make bench` installs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Question(BaseModel):
    """What the user asks."""

    message: str


def add(left: float, right: float) -> float:
    """Add two numbers."""
    return left + right


def create_app(upstream: str) -> FastAPI:
    """The application; `upstream` is the base URL of an OpenAI-compatible provider."""
    model = ChatOpenAI(model="bench", base_url=upstream, api_key="x", streaming=True)
    agent = create_agent(model, tools=[add], system_prompt="You are a helpful assistant.")
    app = FastAPI()

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.post("/chat")
    async def chat(question: Question) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            asked = {"messages": [{"role": "user", "content": question.message}]}
            async for message, _ in agent.astream(asked, stream_mode="messages"):
                if message.text:
                    yield f"data: {json.dumps({'content': message.text})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def main() -> None:
    """Command line: `--port` and `--upstream`."""
    parser = argparse.ArgumentParser(description="The common reference design.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="base URL, ends in /v1")
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.upstream), host="127.0.0.1", port=options.port, log_level="warning"
    )


if __name__ == "__main__":
    main()
