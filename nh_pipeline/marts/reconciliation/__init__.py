"""CMS's published figures recomputed from its public files, and compared: rules by subject, and the three marts.

A rule is a :class:`.figure.Figure`: the column that CMS publishes, the formula in words and in SQL, what rounding
explains. What holds, how exactly, and what cannot be recomputed at all: docs/reconciliation.md.
"""
