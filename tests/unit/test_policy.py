"""What differs from workspace to workspace, and what does not."""

from __future__ import annotations

import pytest

from parlour.errors import ConfigurationError
from parlour.settings import read_settings


def test_a_workspace_changes_single_fields_and_keeps_the_others() -> None:
    settings = read_settings(
        policy={"question": {"tool_calls_max": 4, "rounds_max": 7}},
        workspaces={"acme": {"question": {"tool_calls_max": 9}}},
    )
    policies = settings.policies()
    assert policies.of("acme").question.tool_calls_max == 9
    assert policies.of("acme").question.rounds_max == 7
    assert policies.of("other").question.tool_calls_max == 4


def test_a_wrong_field_of_a_workspace_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"workspaces\.acme\.question\.tool_call_max"):
        read_settings(workspaces={"acme": {"question": {"tool_call_max": 9}}})


def test_a_wrong_value_of_a_workspace_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"workspaces\.acme\.question\.rounds_max"):
        read_settings(workspaces={"acme": {"question": {"rounds_max": 0}}})
