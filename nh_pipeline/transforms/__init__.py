"""Pure functions ``DataFrame -> DataFrame``: no Dagster, no I/O, no session, no clock, no UDF.

Only what Spark 3.5 and Sail do alike; the rules are in docs/spark-subset.md.
"""
