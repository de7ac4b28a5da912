"""``nh verify`` on a lake with every table of all domains."""

from __future__ import annotations

import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.pipeline.verify import verified
from nh_pipeline.tables import tables

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]


def test_every_table_is_sound(whole_lake, engine):
    lake = Lake(str(whole_lake))
    found = {each.where: each for each in verified(lake, lambda: engine)}
    assert [fault for each in found.values() for fault in each.faults] == []
    assert {t.name: lake.snapshot(t).rows for t in tables()} == {t.name: found[t.name].rows for t in tables()}
    assert all(each.homeless == () for each in found.values())
