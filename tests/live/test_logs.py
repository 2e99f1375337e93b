"""What the logs of a process say, and what they never say, at the loudest level."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.house import parse_frames, said, shown
from tests.journey.test_garbage import SECRET, token
from tests.parlour_process import ParlourProcess, parlour

QUESTION = "canary-question-4711"
ANSWER = "canary-answer-0815"
NUMBER = "98765432123456789"
KEY = "sk-canary-0123456789abcdef"
SCRIPT = [
    {
        "when": "^please",
        "needs": ["parlour__calculator"],
        "rounds": [
            [
                {
                    "calls": [
                        {"name": "parlour__calculator", "arguments": {"expression": f"{NUMBER}+1"}}
                    ]
                }
            ],
            [{"text": ANSWER}],
        ],
    },
    {"when": "^break", "steps": [{"text": ANSWER}, {"fail": "rate_limited"}]},
]


def lines_of(process: ParlourProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.said if line.startswith("{")]


async def test_log_lines_lead_to_a_turn_and_say_nothing_of_it(
    database_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    bearer = token("ann", name="canary-name")
    settings = {
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_DATA_DIR": str(tmp_path),
        "PARLOUR_MODEL": f"scripted:{script}",
        "PARLOUR_SECRET": SECRET,
        "PARLOUR_PORT": "0",
        "PARLOUR_LOG_LEVEL": "debug",
        "PARLOUR_LOG_FORMAT": "json",
        "OPENAI_API_KEY": KEY,
    }
    async with parlour("serve", **settings) as served:
        url = (await served.until("Parlour is ready")).split()[-1]
        headers = {"authorization": f"Bearer {bearer}", "x-request-id": "req-1", **shown()}
        async with aiohttp.ClientSession(headers=headers) as http:
            bodies = ("please " + QUESTION, "break " + QUESTION)
            turns: list[str] = []
            for text in bodies:
                body = {"text": text}
                async with http.post(f"{url}/api/threads/c1/turns", json=body) as response:
                    assert response.status == 200
                    turns.append(response.headers["x-turn-id"])
                    assert said(parse_frames(await response.text())) == ANSWER
            bad = {"authorization": f"Bearer {bearer}broken"}
            async with http.get(f"{url}/api/me?q={QUESTION}", headers=bad) as response:
                assert response.status == 401
        assert await served.stop() == 0
    everything = "\n".join(served.said)
    ended = [line for line in lines_of(served) if line["event"] == "turn_ended"]
    assert [line["turn_id"] for line in ended] == turns
    assert {line["request_id"] for line in ended} == {"req-1"}
    assert [line["code"] for line in ended] == ["", "upstream_rate_limited"]
    secrets = (QUESTION, ANSWER, NUMBER, KEY, SECRET, bearer, bearer.split(".")[1], "canary-name")
    assert [secret for secret in secrets if secret in everything] == []


BREAKING = f"""
import logging, sys
import structlog
from parlour.telemetry.logs import configure

def answer(question):
    raise ValueError("no answer")

configure(level="info", json=sys.argv[1] == "json")
try:
    answer("{QUESTION}".replace("-", "_"))
except ValueError:
    structlog.get_logger("parlour").exception("broke")
    logging.getLogger("of_a_library").exception("broke as well")
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_says_where_it_was_and_not_what_variables_held(form: str) -> None:
    command = [sys.executable, "-c", BREAKING, form]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert said.count("ValueError: no answer") == 2
    assert "in answer" in said
    assert QUESTION.replace("-", "_") not in said
