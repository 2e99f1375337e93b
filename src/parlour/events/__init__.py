"""What a turn says, and the log that keeps it while people listen."""
