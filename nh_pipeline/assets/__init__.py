"""Thin Dagster assets, one module per layer: read the range, run the step, report its result."""
