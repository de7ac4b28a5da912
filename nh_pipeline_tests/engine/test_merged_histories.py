"""Penalties and citations out of releases that overlap: every real one once, in whatever order releases come."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.datasets.cms.citations import FCT_FIRE_SAFETY_CITATIONS, FCT_HEALTH_CITATIONS
from nh_pipeline.datasets.cms.penalties import FCT_PENALTIES
from nh_pipeline.marts import citations, penalties

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

HOME = "015009"
MONTHS = [date(2026, month, 1) for month in range(1, 7)]
WITH_IDS = MONTHS[3:]
INSPECTED = date(2025, 3, 4)


def frame(engine, table, rows):
    columns = [c.name for c in table.columns]
    return engine.createDataFrame([tuple(row.get(name) for name in columns) for row in rows], table.spark)


def fine(release, amount="650", fine_id=None, nth=1, *, home=HOME, day=INSPECTED):
    told = {"provider_id": home, "penalty_date": day, "penalty_type": "Fine", "fine_amount": Decimal(amount)}
    return {**told, "release": release, "fine_id": fine_id, "nth": nth, "delivery_id": f"{release}"}


def merged(engine, rows):
    found = penalties.merged(frame(engine, FCT_PENALTIES, rows)).select(*penalties.PENALTIES.names)
    return [row.asDict() for row in found.collect()]


def seen(rows, *names):
    return sorted(tuple(row[name] for name in names) for row in rows)


def test_ids_double_nothing(engine):
    rows = [
        *(fine(month, nth=nth) for month in MONTHS[1:3] for nth in (1, 2)),
        *(fine(month, fine_id=f"90{nth}", nth=nth) for month in WITH_IDS for nth in (1, 2)),
    ]
    assert seen(merged(engine, rows), "nth", "fine_id", "first_release", "last_release", "ended") == [
        (1, "901", MONTHS[1], MONTHS[5], "current"),
        (2, "902", MONTHS[1], MONTHS[5], "current"),
    ]


def test_an_amount_that_was_changed_is_the_same_fine_only_if_it_has_an_id(engine):
    rows = [fine(MONTHS[0], "1000"), *(fine(month, "600") for month in MONTHS[1:3]), fine(MONTHS[3], "600", "901"),
            *(fine(month, "450", "901") for month in MONTHS[4:])]  # fmt: skip
    assert seen(merged(engine, rows), "fine_amount", "fine_id", "first_release", "last_release") == [
        (Decimal(450), "901", MONTHS[1], MONTHS[5]),
        (Decimal(1000), None, MONTHS[0], MONTHS[0]),
    ]


def test_what_has_aged_out_is_not_gone(engine):
    of_all = [fine(month, "1", day=date(2024, 1, 1)) for month in MONTHS[:2]]
    of_all += [fine(month, "2", day=date(2025, 1, 1)) for month in MONTHS[:3]]
    of_all += [fine(month, "3", day=date(2024, 6, 1)) for month in MONTHS]
    of_all += [fine(MONTHS[0], "4", day=date(2024, 9, 1))]
    assert seen(merged(engine, of_all), "fine_amount", "ended", "is_current") == [
        (Decimal(1), "aged", False),
        (Decimal(2), "gone", False),
        (Decimal(3), "current", True),
        (Decimal(4), "gone", False),
    ]


REAL = st.tuples(st.sampled_from(["650", "975"]), st.integers(0, 5), st.integers(0, 5))
"""A real penalty: its amount, and the first and the last month in which it is shown, in any order."""


@settings(max_examples=4)
@given(st.lists(st.lists(REAL, max_size=5), min_size=10, max_size=40), st.randoms(use_true_random=False))
def test_every_real_penalty_once(engine, homes, random):
    """Each home is a world of its own: what it really has, as six releases show it, the last three with IDs."""
    rows, real = [], {}
    for n, world in enumerate(homes):
        home = f"{n:06d}"
        for month, at in enumerate(MONTHS):
            shown = Counter[str]()
            for number, (amount, *ends) in enumerate(world):
                if min(ends) <= month <= max(ends):
                    shown[amount] += 1
                    fine_id = f"{home}{number}" if at in WITH_IDS else None
                    rows.append(fine(at, amount, fine_id, shown[amount], home=home))
        for amount in {a for a, *_ in world}:
            spans = [(min(ends), max(ends)) for a, *ends in world if a == amount]
            at_once = max(sum(first <= month <= last for first, last in spans) for month in range(3))
            real[home, Decimal(amount)] = max(at_once, sum(last >= 3 for _, last in spans)), len(spans), spans
    random.shuffle(rows)
    found = merged(engine, rows)
    count = Counter((row["provider_id"], row["fine_amount"]) for row in found)
    assert count == {key: least for key, (least, _, _) in real.items()}
    for key, (_, all_of_them, spans) in real.items():
        # Overlapping: some release without IDs shows all of them, or each was shown with an ID.
        if all(last >= 3 for _, last in spans) or max(f for f, _ in spans) <= min(2, *(last for _, last in spans)):
            assert count[key] == all_of_them
    for at in MONTHS:  # none of a release is lost
        told = Counter((row["provider_id"], row["fine_amount"]) for row in rows if row["release"] == at)
        holding = (row for row in found if row["first_release"] <= at <= row["last_release"])
        assert told <= Counter((row["provider_id"], row["fine_amount"]) for row in holding)
    assert sorted(row["fine_id"] for row in found if row["fine_id"]) == sorted({r["fine_id"] for r in rows} - {None})


def cited(release, severity="D", tag="0689", nth=1, **more):
    told = {"provider_id": HOME, "survey_date": INSPECTED, "deficiency_prefix": "F", "deficiency_tag": tag}
    return {**told, "release": release, "scope_severity": severity, "nth": nth, "delivery_id": f"{release}", **more}


def test_citations_as_the_last_release_shows_them(engine):
    health = [
        cited(MONTHS[0], "G", under_idr=True, inspection_cycle=1),
        cited(MONTHS[1], "D", under_idr=False, inspection_cycle=2),
        # Two of one tag, in either order: the gravest is the first.
        cited(MONTHS[0], "E", "0812", 1), cited(MONTHS[0], "F", "0812", 2),
        cited(MONTHS[1], "F", "0812", 1), cited(MONTHS[1], "E", "0812", 2),
        cited(MONTHS[0], "B", "0880"),
    ]  # fmt: skip
    fire = [cited(MONTHS[0], "F", "0345", deficiency_prefix="K", tag_version=version) for version in ("New", "Old")]
    names = ("deficiency_tag", "nth", "scope_severity", "first_scope_severity", "last_release", "is_current")
    for rows in (health, health[::-1]):
        found = citations.merged(
            frame(engine, FCT_HEALTH_CITATIONS, rows), frame(engine, FCT_FIRE_SAFETY_CITATIONS, fire)
        )
        got = [row.asDict() for row in found.select(*citations.CITATIONS.names).collect()]
        assert seen((row for row in got if row["survey_type"] == "health"), *names) == [
            ("0689", 1, "D", "G", MONTHS[1], True),
            ("0812", 1, "F", "F", MONTHS[1], True),
            ("0812", 2, "E", "E", MONTHS[1], True),
            ("0880", 1, "B", "B", MONTHS[0], False),
        ]
        assert seen((row for row in got if row["survey_type"] == "fire safety"), "tag_version", "is_current") == [
            ("New", True),
            ("Old", True),
        ]
        (lowered,) = (row for row in got if row["deficiency_tag"] == "0689")
        assert (lowered["under_idr"], lowered["inspection_cycle"]) == (False, 2)
