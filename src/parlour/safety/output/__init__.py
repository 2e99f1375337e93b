"""What an answer must not have in it: secrets, personal data, the system prompt."""
