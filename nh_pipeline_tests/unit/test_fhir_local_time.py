"""Times in UTC, as the clock of the facility shows them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nh_pipeline.landing.fhir.local_time import localized
from nh_pipeline.sources.time_zones import VARIABLE
from nh_pipeline_tests.support.fhir_deliveries import ABOUT, ndjson, patient, resource, row, survey

CHICAGO = "America/Chicago"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-01-02T03:30:00Z", "2024-01-01T21:30:00-06:00"),
        ("2024-07-02T03:30:00.250Z", "2024-07-01T22:30:00.250-05:00"),
        ("2024-07-02T03:30Z", "2024-07-01T22:30-05:00"),
        ("2024-01-02T03:30:00+00:00", "2024-01-01T21:30:00-06:00"),
        # The hour that comes twice: by its offset, each is told from the other. [hapi-fhir#873]
        ("2010-11-07T06:59:26Z", "2010-11-07T01:59:26-05:00"),
        ("2010-11-07T07:59:26Z", "2010-11-07T01:59:26-06:00"),
        # With a clock of its own, without a zone, without a time, or none at all.
        ("2024-01-02T03:30:00-05:00", None),
        ("2024-01-02T03:30:00", None),
        ("2024-01-02", None),
        ("2024-02-30T03:30:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("at 2024-01-02T03:30:00Z", None),
        (True, None),
    ],
)
def test_a_time_in_utc_is_shown_by_the_clock_of_the_facility(written, expected):
    assert localized({"a": [{"b": written}]}, CHICAGO) == {"a": [{"b": written if expected is None else expected}]}


def test_bronze_has_the_clock_of_the_facility_and_the_resource_as_it_was_delivered():
    period = {"start": "2024-01-02T03:30:00Z", "end": "2024-01-05"}
    content = ndjson(resource("Encounter", "e", period=period, meta={"lastUpdated": "2024-01-06T00:00:00Z"}))
    about = replace(ABOUT, local_time_zone=CHICAGO)
    found, as_written = row(content, "encounter", about), row(content, "encounter")
    assert (found["period_start"], found["period_end"]) == ("2024-01-01T21:30:00-06:00", "2024-01-05")
    differing = {name for name, value in found.items() if value != as_written[name]}
    assert differing == {"period_start"}
    assert json.loads(row(content, "resource", about)["resource"])["period"] == period


def test_each_source_has_its_own(monkeypatch):
    monkeypatch.setenv(VARIABLE, f"default={CHICAGO}, east=America/New_York")
    named = {"a": CHICAGO, "source=east/a": "America/New_York", "source=west/a": ""}
    assert {name: survey(ndjson(patient()), name).local_time_zone for name in named} == named
