"""Treatments come out as they are in the source, however their lines are cut into deliveries, in whatever order."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.marts import treatments
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import System, TreatmentTruth, extraction, lines
from nh_pipeline.sample.treatments.writing import archive, native, put
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.treatments import built, read

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

CMS = Deliveries(40, ("2024Q1",))
SEVEN = tuple(TreatmentTruth(System(CMS, 40), 1).tables)
STAR = [mart for mart in treatments.MARTS if mart.database == "treatments_gold"]


def ordered(rows):
    return sorted((tuple(row.items()) for row in rows), key=str)


def same_tables(found, truth):
    """The seven tables, and how many members each dimension has."""
    for name, rows in truth.tables.items():
        assert ordered(found[name]) == ordered(rows), name
    assert {name: len(found[name]) for name in truth.dimensions} == truth.dimensions
    assert len(found["fact_treatments"]) == len(truth.treatments)


@pytest.mark.parametrize("extractions", [1, 3, 4])
def test_tables_are_what_plain_python_makes_of_the_source(engine, extractions):
    system = System(CMS, 1500)
    bronze = read(extraction(system, number) for number in range(extractions, 0, -1))
    assert sum(row["stage"] == "value" for row in bronze["treatments_bronze.rejects"]) > 0
    same_tables(built(engine, bronze), TreatmentTruth(system, extractions))


SMALL = System(CMS, 60, 2)
ALL = [
    *(put(SMALL.item(of), of.modified_at) for of in (SMALL.treated(n, 1) for n in SMALL.numbers(1))),
    *(put(SMALL.item(of), of.modified_at) for of in (SMALL.treated(n, 2) for n in SMALL.numbers(2))),
    *lines(SMALL, 3),
]
"""Every version of every treatment, and deletions, each with when it was written."""

AT = SMALL.at(4)
SHIFT = 1_000


def window(some):
    return archive(native(AT, since=AT - timedelta(days=900)), some)


def split(every, seed, deliveries):
    """All lines over so many deliveries, in any order, a third of them twice."""
    draw, parts = np.random.default_rng(seed), [[] for _ in range(deliveries)]
    for at in [*draw.permutation(len(every)), *draw.permutation(len(every))[: len(every) // 3]]:
        parts[draw.integers(deliveries)].append(every[at])
    return [window(part) for part in parts]


@settings(max_examples=3)
@given(st.lists(st.tuples(st.integers(0, 2**32), st.integers(1, 25)), min_size=6, max_size=6))
def test_any_split_into_deliveries_holds_the_same(engine, splits):
    """Cases of an example are apart by their numbers, so that the engine runs once for all of them."""
    together = read([window(ALL)])
    for case, (seed, deliveries) in enumerate(splits, 1):
        bronze = read(split(ALL, seed, deliveries))
        for name, rows in bronze.items():
            for row in rows:
                row["delivery_id"] = f"{case}.{row['delivery_id']}"
                if "treatment_id" in row:
                    row["treatment_id"] = type(row["treatment_id"])(int(row["treatment_id"]) + SHIFT * case)
            together[name] += rows
    held = built(engine, together, names=["treatments"])["treatments"]
    cases = {case: [] for case in range(len(splits) + 1)}
    for row in held:
        case, number = divmod(row["treatment_id"], SHIFT)
        cases[case].append({**row, "treatment_id": number})
    expected = [of.number for of in SMALL.all_treated(3)]
    assert sorted(row["treatment_id"] for row in cases[0]) == expected
    assert all(ordered(rows) == ordered(cases[0]) for rows in cases.values())


@pytest.mark.at_length
def test_6000_items_over_25_deliveries_are_the_star_of_one(workspace, tmp_path):
    system = System(CMS, 6_000)
    every = [put(system.item(of), of.modified_at) for of in (system.treated(n, 1) for n in system.numbers(1))]
    lakes = []
    for name, contents in (("once", [window(every)]), ("often", split(every, 25, 25))):
        nh, last = workspace(), len(contents) - 1
        for number, content in enumerate(contents):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            (folder / "items.zip").write_bytes(content)
            chain.land(nh, folder)
            if number in (7, last):
                chain.whole(nh)
        lakes.append(nh.lake)
    for mart in STAR:
        assert chain.table(lakes[0], mart.table).equals(chain.table(lakes[1], mart.table)), mart.name
    truth = TreatmentTruth(system, 1)
    same_tables({mart.name: chain.rows(lakes[1], mart.table) for mart in STAR}, truth)
