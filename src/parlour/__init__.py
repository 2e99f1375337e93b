"""Parlour: the AI assistant that product teams put inside their own product."""

__version__ = "0.1.0"
