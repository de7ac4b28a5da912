"""Where programs ask: DuckDB on the lake, Athena, and the views for people who report."""
