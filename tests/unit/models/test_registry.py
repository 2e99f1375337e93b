"""`provider:name` becomes a model, or one sentence that says what to type."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from parlour.errors import ConfigurationError
from parlour.models.registry import build_model, build_route, kind_of
from parlour.models.routes import Route


def dirs(path: Path) -> dict[str, Any]:
    return {"data_dir": path / "data", "cache_dir": path / "cache"}


def test_each_provider_has_its_model(tmp_path: Path) -> None:
    script = tmp_path / "s.json"
    script.write_text('[{"steps": [{"text": "x"}]}]', encoding="utf-8")
    for name in ("openai:gpt-5.1", "anthropic:claude-haiku-4-5", "scripted:"):
        assert build_model(name, **dirs(tmp_path)).name == name
    # People read the name, so the script's directory stays out of it.
    assert build_model(f"scripted:{script}", **dirs(tmp_path)).name == "scripted:s"


def test_an_empty_name_takes_the_first_key(tmp_path: Path) -> None:
    both = build_model("", openai_api_key="a", anthropic_api_key="b", **dirs(tmp_path))
    assert both.name == "openai:gpt-5.1"
    one = build_model("", anthropic_api_key="b", **dirs(tmp_path))
    assert one.name == "anthropic:claude-sonnet-4-5"


def test_without_keys_and_weights_the_guide_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "parlour.models.local", None)  # as without the extra
    assert build_model("", **dirs(tmp_path)).name == "scripted:"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-5.1", "no provider in 'gpt-5.1'. Use openai:"),
        ("mystery:x", "the provider 'mystery'. Use openai:"),
        ("openai:", "without a model. Write for example openai:"),
        ("anthropic: ", "without a model. Write for example anthropic:"),
        ("langchain:", "without a model"),
        ("langchain:no_such_provider:x", "PARLOUR_MODEL=langchain:no_such_provider:x"),
        ("langchain:google_genai:x", "langchain-google-genai"),
        ("scripted:/no/such/file.json", "/no/such/file.json, which cannot be read"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_model(name, **dirs(tmp_path))
    assert says in str(caught.value)
    assert "PARLOUR_MODEL" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("langchain:openai:gpt-5.1", "parlour.models.langchain", "providers"),
        ("local:", "parlour.models.local", "local"),
    ],
)
def test_a_missing_extra_says_what_to_type(
    name: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as caught:
        build_model(name, **dirs(tmp_path))
    assert f"pip install 'parlour[{extra}]'" in str(caught.value)


def test_a_base_url_without_a_scheme_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_BASE_URL"):
        build_model("openai:x", openai_base_url="localhost:11434/v1", **dirs(tmp_path))
    with pytest.raises(ConfigurationError, match="ANTHROPIC_BASE_URL"):
        build_model("anthropic:x", anthropic_base_url="", **dirs(tmp_path))


def test_people_are_told_where_a_model_runs() -> None:
    assert [kind_of(name) for name in ("openai:x", "langchain:a:b", "local:", "scripted:")] == [
        "hosted",
        "hosted",
        "local",
        "scripted",
    ]


@pytest.mark.parametrize("provider", ["langchain", "local", "scripted"])
def test_an_address_that_would_not_be_called_is_refused(provider: str, tmp_path: Path) -> None:
    route = Route("eu", provider, "x:y", base_url="https://eu.example.com")
    with pytest.raises(ConfigurationError, match=r"routes.eu.base_url` would not be called"):
        build_route(route, api_key="", **dirs(tmp_path))
