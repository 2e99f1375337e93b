"""How much of anything one may have."""
