"""What a column, a rule, a table, a dataset and a mart are. Imports nothing of the other packages, and no engine.

The declarations themselves are in :mod:`nh_pipeline.datasets` and :mod:`nh_pipeline.marts`.
"""
