"""Plugins of every tier."""

pytest_plugins = ["tests.postgres", "tests.promises", "tests.redis_server"]
