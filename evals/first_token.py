"""What the checks on questions and answers add to the first token.

    python -m evals.first_token [--turns 200] [--model-ms 200]

One Parlour with our own Postgres and a scripted model whose first word, and whose verdict as a
verifier, both take `--model-ms`. Turns without any check and turns with all of them (masking,
patterns against orders, the topic verdict, output in `stream` mode) alternate, so that whatever
else the machine does meets both alike. Printed: milliseconds from the question to the first word
on the event log, as a reader gets it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from parlour.app import Services, running
from parlour.chat.ask import Ask
from parlour.domain import Principal, ThreadId, UserId, WorkspaceId
from parlour.settings import Settings
from parlour.telemetry.logs import configure

QUESTION = "How did our sales develop in March, and whom do I ask? I am ann.lee@example.org."
OFF = {
    "privacy": {"card": "off", "iban": "off", "national_id": "off"},
    "injection": {"user": "off", "tool_results": "off", "documents": "off"},
    "output": {"mode": "off"},
}
ON = {
    "privacy": {"email": "mask", "phone": "mask", "ip": "mask"},
    "topics": {"allow": ["sales figures", "dashboards", "people of the company"]},
}


def script(model_s: float) -> list[dict[str, object]]:
    """The verifier and the model, equally fast."""
    return [
        {"when": "^Topics: ", "steps": [{"wait_s": model_s}, {"text": "yes"}]},
        {"when": ".", "steps": [{"wait_s": model_s}, {"text": "They rose by 12 percent. " * 30}]},
    ]


async def first_word_ms(services: Services, workspace: str, number: int) -> float:
    """Ask once; milliseconds until the first word."""
    who = Principal(WorkspaceId(workspace), UserId("ann"), tier="custom")
    thread = ThreadId(f"c{workspace}{number}")
    edition = services.gate.disclosures.of(who, "api").edition
    began = time.perf_counter()
    started = await services.runner.start(who, Ask(thread, QUESTION, shown=edition))
    reading = await services.readings.open(who, thread, started.turn)
    first = 0.0
    with reading.cursor as cursor:
        while not cursor.ended:
            if not first and any(b'"token"' in payload for payload in cursor.take()):
                first = (time.perf_counter() - began) * 1000
            elif first:
                cursor.take()
            await cursor.wait()
    return first


async def measure(turns: int, model_ms: float) -> None:
    """Alternate and print."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.json"
        file.write_text(json.dumps(script(model_ms / 1000)), encoding="utf-8")
        settings = Settings(
            model=f"scripted:{file}",
            data_dir=Path(folder),
            log_level="error",
            workspaces={"off": OFF, "on": ON},
        )  # type: ignore[call-arg]
        times: dict[str, list[float]] = {"off": [], "on": []}
        async with running(settings) as services:
            for number in range(turns + 5):
                for workspace in times:
                    took = await first_word_ms(services, workspace, number)
                    if number >= 5:  # the first ones warm up
                        times[workspace].append(took)
    print("| checks | turns | p50 ms | p95 ms |\n| --- | --- | --- | --- |")
    for workspace, values in times.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"| {workspace} | {len(values)} | {statistics.median(values):.1f} | {p95:.1f} |")
    added = [on - off for on, off in zip(times["on"], times["off"], strict=True)]
    p95 = statistics.quantiles(added, n=20)[-1]
    print(f"| added, pair by pair | {len(added)} | {statistics.median(added):.1f} | {p95:.1f} |")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--model-ms", type=float, default=200)
    given = parser.parse_args()
    configure(level="error", json=False)
    asyncio.run(measure(given.turns, given.model_ms))


if __name__ == "__main__":
    main()
