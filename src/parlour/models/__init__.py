"""Models: one port, and the providers that fill it."""
