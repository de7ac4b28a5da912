"""Benchmarks. Not part of the package and not run by the tests."""
