"""What is kept: Postgres, its tables and every query."""
