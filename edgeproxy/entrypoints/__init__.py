"""The other doors into the project's functions, each a Handler."""
