"""The work that never stops: every way in, the queue, the pool, and what is said about them."""
