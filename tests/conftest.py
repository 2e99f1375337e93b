"""Fixtures of all tests live in files that say what they are; this names them."""

pytest_plugins = ("redis_server",)
