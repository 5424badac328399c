"""Benchmarks: figures that the documentation quotes, and how to repeat them."""
