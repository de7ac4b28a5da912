"""How fast, against what, and why: run as ``python -m benchmarks`` (see docs/performance.md)."""
