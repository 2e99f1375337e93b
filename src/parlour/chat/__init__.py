"""The story of a turn: read turn.py first."""
