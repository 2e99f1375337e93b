"""Text that tries to give the assistant orders: by pattern, and by an extra classifier."""
