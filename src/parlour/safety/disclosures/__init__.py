"""What people are always told: that they talk to an AI, in the words that hold where they are.

No part of any prompt and of no setting, so no prompt, rule or setting change can lose it.
"""
