"""The Lambda service behind every door and every edge hook."""
