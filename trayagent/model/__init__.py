"""Pure values and decisions: no I/O, no clock, no threads; standard library and msgspec only."""
