"""What Dagster loads in tests of the whole stack: few files and tables, and sensors that look as often as a daemon can.

Each run is a process that loads them, and each look goes through all of them.
"""

from __future__ import annotations

import os

from nh_pipeline import datasets, domains, tables
from nh_pipeline.datasets.cms.daily_nurse_staffing import DAILY_NURSE_STAFFING
from nh_pipeline.datasets.cms.medicare_claims import MEDICARE_CLAIMS
from nh_pipeline.datasets.cms.providers import PROVIDERS

os.environ[domains.VARIABLE] = domains.DOMAINS[0]
datasets.DATASETS = (DAILY_NURSE_STAFFING, PROVIDERS, MEDICARE_CLAIMS)  # of which the marts are made
tables.QUALITIES = ()

from nh_pipeline_tests.support.few_definitions import defs  # noqa: E402 (of these tables)

for sensor in defs.sensors or ():
    sensor._min_interval = 5

__all__ = ["defs"]
