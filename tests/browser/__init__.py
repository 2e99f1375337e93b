"""The page in a real browser, against a real server with the scripted model."""
