"""Extractions of the generated treatment system from a table of a real server: what its generated archives hold."""

from __future__ import annotations

import pytest

from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import System, extraction
from nh_pipeline.sample.treatments.served import Served
from nh_pipeline_tests.support.treatments import read

pytestmark = pytest.mark.integration

CMS = Deliveries(40, ("2024Q1",))
PLACES = ("delivery_id", "member", "source_line", "item")


def rows(content):
    """All that bronze has of a delivery, but for where it stands in it."""
    found = read([content])
    return {
        name: sorted(str({k: v for k, v in row.items() if k not in PLACES}) for row in of) for name, of in found.items()
    }


def test_scans_have_what_the_generated_ones_have(dynalite_port):
    system = System(CMS, 200)
    served = Served(system, dynalite_port)
    for number in (1, 2, 4):
        content = served.extraction(number)
        assert rows(content) == rows(extraction(system, number)), number
    assert served.extraction(4) == content
