"""A warehouse beside the lake, Redshift or Postgres: tables of the lake, copied whole and compared.

The lake stays the truth: a table there is a copy of one snapshot, and which one it is, is noted where it is.
"""
