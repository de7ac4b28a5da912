"""The steps: which snapshots a table is built from, which transform builds it, which partitions it replaces.

One module per kind of table. A step is a pydantic model (so that it can be sent to a job) whose ``run`` does the
work in a :class:`~nh_pipeline.pipeline.context.BuildContext`. Rules about values are in transforms and contracts.
"""
