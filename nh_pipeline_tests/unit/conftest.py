"""A raw zone, and a source in memory that lands in it."""

from __future__ import annotations

import pytest

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline_tests.support.memory_source import Memory


@pytest.fixture
def zone(tmp_path):
    return RawZone(Storage(str(tmp_path / "lake")))


@pytest.fixture
def source():
    return Memory()
