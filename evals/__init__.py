"""Evaluations: how often something goes right, in figures. `make eval`, docs/evals.md."""
