"""The offline demonstration: a real agent, a small media server, real files."""
