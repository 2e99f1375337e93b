"""Work that is in nobody's way."""
