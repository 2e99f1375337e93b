"""The steps. A released step is never changed; another one follows it."""
