"""Whole Parlours for the live tier too."""

from tests.journey.conftest import open_house

__all__ = ["open_house"]
