"""What the scripted model says in the browser tests."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

from parlour.settings import McpServer

SVG = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").decode()
HOSTILE = f"""Before the attack.

<script>alert('script')</script>

<img src="x" onerror="alert('img')">

<iframe src="https://evil.example/frame"></iframe>

<svg onload="alert('svg')"></svg>

<style>body {{ display: none }}</style>

<form action="https://evil.example/form"><input name="a"><button>Sign in</button></form>

<a href="javascript:alert('anchor')" onclick="alert('click')">anchor</a>

[link](javascript:alert('link')) and [page](data:text/html,<script>alert('data')</script>)

![remote](https://evil.example/pixel.png) and ![inline](data:image/svg+xml;base64,{SVG})

| a | b |
| - | - |
| <img src=x onerror="alert('cell')"> | [cell](javascript:alert('cell')) |

After the attack.
"""
GIVEN = "https://docs.acme.example/help?a=1"
# `{{group:here}}` is the address of the page's own host.
LINKS = f"""Given: [words]({GIVEN}), <{GIVEN}>, {GIVEN} bare, ({GIVEN}), **{GIVEN}**,
"{GIVEN}", _{GIVEN}_.

- [path](/dash/1)
- [whole path]({{{{group:here}}}}/dash/1)
- {{{{group:here}}}}/dash/1

Made up: [words](https://evil.example/a), <https://evil.example/b>, https://evil.example/c bare,
(https://evil.example/d), **https://evil.example/e**, "https://evil.example/f",
_https://evil.example/g_, <a href="https://evil.example/h">anchor</a>, www.evil.example/i,
eve@evil.example, [mail](mailto:eve@evil.example), //evil.example/j,
[two slashes](//evil.example/k), [by label][1], [1], evil.com/m, `https://evil.example/n`,
![picture](https://evil.example/o.png), [no such page](/dash/2),
[nor here]({{{{group:here}}}}/dash/2).

[1]: https://evil.example/l

The end.
"""
NUMBERS = " ".join(str(number) for number in range(1, 151))

MARKDOWN = """It is **409.5**.

- one
- two

| city | share |
| :-- | --: |
| Porto | 41 % |
| Lyon | 59 % |

```python
print(17.5 / 100 * 2340)
```
"""

# Everything that markdown has and that looks raw while only half of it has come.
PARAGRAPH = "It rained on Monday, on **Tuesday** and on *Wednesday*, and `dry` days were few. "
EVERYTHING = f"""## The first heading

{PARAGRAPH * 3}

- **one** with `code`
- two with [a link](/dash/1)
  1. inner
  2. *inner*

| city | share | note |
| :-- | --: | -- |
| Porto | 41 % | **most** |
| Lyon | 59 % | `rest` |

```python
for day in ("Monday", "Tuesday"):
    print(day, "**not bold**")
```

> A quotation with **weight**.

{PARAGRAPH * 3}

### The second heading

{PARAGRAPH * 6}
"""

SCRIPT: list[dict[str, Any]] = [
    {
        "when": "17.5",
        "needs": ["parlour__calculator"],
        "rounds": [
            [
                {"reasoning": "Arithmetic. I use the calculator."},
                {
                    "calls": [
                        {
                            "name": "parlour__calculator",
                            "arguments": {"expression": "17.5 / 100 * 2340"},
                        }
                    ]
                },
            ],
            [{"text": MARKDOWN}, {"usage": {"input": 1200, "cache_read": 800, "output": 45}}],
        ],
    },
    {
        "when": "orders",
        "needs": ["shop__search_orders"],
        "rounds": [
            [
                {"reasoning": "The shop knows its orders; I look there."},
                {"calls": [{"name": "shop__search_orders", "arguments": {}}]},
            ],
            [{"text": "There are **four orders**; the largest went to Dune Optics in Tunis."}],
        ],
    },
    {
        "when": "evil tool",
        "needs": ["shop__hostile"],
        "rounds": [
            [{"calls": [{"name": "shop__hostile", "arguments": {"x": "<img src=x>"}}]}],
            [{"text": "It said: {{result}}"}],
        ],
    },
    {
        "when": "note (?P<text>.+)",
        "needs": ["notes__add_note"],
        "rounds": [
            [{"calls": [{"name": "notes__add_note", "arguments": {"text": "{{group:text}}"}}]}],
            [{"text": "Here is what came of it: {{result}}"}],
        ],
    },
    {
        "when": "two notes",
        "needs": ["notes__add_note"],
        "rounds": [
            [
                {
                    "calls": [
                        {"name": "notes__add_note", "arguments": {"text": "one"}},
                        {"name": "notes__wipe_notes", "arguments": {}},
                    ]
                }
            ],
            [{"text": "Both are decided."}],
        ],
    },
    {"when": r"links at (?P<here>\S+)", "steps": [{"text": LINKS, "pace": 150}]},
    {"when": "evil text", "steps": [{"text": HOSTILE}]},
    {"when": "everything", "steps": [{"text": EVERYTHING, "pace": 150}]},
    {
        "when": "long gate",
        "steps": [{"text": EVERYTHING}, {"gate": "middle"}, {"text": EVERYTHING}],
    },
    {
        "when": "count",
        "steps": [
            {"text": NUMBERS[:180], "pace": 60},
            {"gate": "first"},
            {"text": NUMBERS[180:330], "pace": 60},
            {"gate": "second"},
            {"text": NUMBERS[330:], "pace": 60},
        ],
    },
    {
        "when": "think",
        "steps": [
            {"reasoning": "A long thought."},
            {"gate": "thought"},
            {"text": "Thought and said."},
        ],
    },
    {"when": "quiet", "steps": [{"gate": "begin"}, {"text": "At last."}]},
    {
        "when": "gate",
        "steps": [{"text": "Before the gate. "}, {"gate": "middle"}, {"text": "After the gate."}],
    },
    {"when": "fail", "steps": [{"text": "Half an answer"}, {"cut": True}]},
    {
        "when": "broken tool",
        "rounds": [
            [{"calls": [{"name": "parlour__calculator", "arguments": {"expression": "1 / 0"}}]}],
            [{"text": "That cannot be done."}],
        ],
    },
    {"when": "wide", "steps": [{"text": "W" * 400 + "\n\n```\n" + "x = 1; " * 80 + "\n```\n"}]},
    {"when": "hello", "steps": [{"text": "Hello there, friend."}]},
]

SHOP = {
    "shop": McpServer.model_validate(
        {
            "command": sys.executable,
            "args": [str(Path(__file__).with_name("shop_server.py"))],
            "reads": ["search_orders", "hostile"],
        }
    )
}
