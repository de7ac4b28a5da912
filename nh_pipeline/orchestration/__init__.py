"""Everything that is Dagster's: definitions, assets, checks, jobs, sensors, runs, resources."""
