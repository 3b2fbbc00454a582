"""The message model: immutable requests and responses, and the small grammars of HTTP."""
