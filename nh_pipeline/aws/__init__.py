"""An installation on AWS: what the Glue job runs, the stack, what is missing, queries through Athena.

The lake on S3 and the Glue Data Catalog is :mod:`nh_pipeline.lake`; jobs are started by :mod:`nh_pipeline.compute`.
Needs the extra ``aws``.
"""
