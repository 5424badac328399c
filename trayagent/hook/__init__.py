"""The local HTTP door: a gate of small refusals, a table of routes, and nothing that acts by itself."""
