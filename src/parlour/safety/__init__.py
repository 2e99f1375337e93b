"""What is always said, and what is never let through."""
