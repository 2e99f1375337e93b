"""`find_servers` sees model servers, and nothing else."""

from __future__ import annotations

import asyncio

from aiohttp import web

from parlour.models.nearby import FoundServer, Place, find_servers


async def serve(handler: object) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_get("/v1/models", handler)  # pyright: ignore[reportArgumentType]
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


async def test_a_server_that_lists_models_is_found_with_the_lines_to_type() -> None:
    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "llama3.2"}, {"id": "qwen3"}]})

    runner, port = await serve(models)
    try:
        found = await find_servers((Place("Ollama", port), Place("LM Studio", 1)))
    finally:
        await runner.cleanup()
    assert found == [FoundServer("Ollama", f"http://127.0.0.1:{port}/v1", ("llama3.2", "qwen3"))]
    assert found[0].lines()[0] == (
        f"OPENAI_BASE_URL=http://127.0.0.1:{port}/v1 PARLOUR_MODEL=openai:llama3.2 parlour serve"
    )


async def test_something_else_on_the_port_is_passed_over() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<h1>Jenkins</h1>", content_type="text/html")

    runner, port = await serve(page)
    try:
        assert await find_servers((Place("llama-server", port),)) == []
    finally:
        await runner.cleanup()


async def test_a_port_that_never_answers_costs_a_third_of_a_second_at_most() -> None:
    never = asyncio.Event()

    async def silence(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    runner, port = await serve(silence)
    try:
        async with asyncio.timeout(2):
            assert await find_servers((Place("llama-server", port),)) == []
    finally:
        never.set()
        await runner.cleanup()
