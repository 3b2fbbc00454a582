"""Event source mappings: pollers that take records from queues and streams to functions."""
