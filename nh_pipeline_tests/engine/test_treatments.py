"""What holds of a treatment, and what the star schema makes of it: cases that can be counted by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from nh_pipeline.sample.treatments.writing import Tagged, archive, deleted, native, ndjson, put, scan
from nh_pipeline_tests.support.treatments import AT, built, read

pytestmark = pytest.mark.integration

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def item(number, modified=AT - DAY, *, more=None, **treatment):
    """An item that was changed then."""
    at = modified.isoformat() if isinstance(modified, datetime) else modified
    treatment = {"id": number, **treatment}
    return {
        "treatment": treatment,
        "metadata": {"modified_at": at},
        "treatment_id_partition_key": f"{number}",
        **(more or {}),
    }


def key(number):
    return {"treatment_id_partition_key": f"{number}"}


def window(at, *lines):
    """An incremental export of the day until then."""
    return archive(native(at, since=at - DAY), list(lines))


def full(at, *items):
    """A scan of all of the table."""
    return archive(scan(at), [put(one) for one in items])


EARLY, LATE = AT - 2 * DAY, AT - DAY

HELD = {
    "updated": ([full(AT, item(1, EARLY, type="a")), full(AT + DAY, item(1, LATE, type="b"))], ["b"]),
    "as instants": ([
        archive(scan(AT, since=EARLY), [put(item(1, "2024-01-05T10:00:00+02:00", type="a"))]),
        archive(scan(AT, since=EARLY), [put(item(1, "2024-01-05T09:00:00Z", type="b"))]),
    ], ["b"]),
    "in microseconds": ([
        archive(scan(AT, since=EARLY), [put(item(1, "2024-01-05T09:00:00.000002Z", type="a")),
                                        put(item(1, "2024-01-05T09:00:00.000001Z", type="b"))]),
    ], ["a"]),
    "as late, extracted later": ([full(AT + HOUR, item(1, type="a")), full(AT, item(1, type="b"))], ["a"]),
    "deleted": ([full(AT, item(1)), window(AT + DAY, deleted(key(1), AT + HOUR))], []),
    "deleted before": ([window(AT, put(item(1, type="a"), AT - HOUR), deleted(key(1), AT - 2 * HOUR))], ["a"]),
    "deleted, and there again": ([
        window(AT, put(item(1, EARLY), AT - 3 * HOUR), deleted(key(1), AT - 2 * HOUR),
               put(item(1, LATE, type="c"), AT - HOUR)),
    ], ["c"]),
    "changed in the future, deleted, and there again": ([
        window(AT, put(item(1, "2099-01-01T00:00:00Z", type="a"), AT - 3 * HOUR), deleted(key(1), AT - 2 * HOUR),
               put(item(1, LATE, type="c"), AT - HOUR)),
    ], ["c"]),
    "deleted, and restored as it was": ([
        full(AT - DAY, item(1, EARLY)), window(AT, deleted(key(1), AT - 2 * HOUR)), full(AT, item(1, EARLY, type="a"))],
        ["a"]),
    "deleted as a scan had just seen it": ([
        full(AT, item(1, EARLY)), window(AT + DAY, deleted(key(1), AT - 9 * MINUTE))], []),
    "deleted before a file of lines came": ([
        ndjson([put(item(1, EARLY))]), window(AT, deleted(key(1), AT - DAY))], []),
    "deleted in a file of lines": ([
        window(AT - DAY, put(item(1), AT - 3 * DAY)), ndjson([deleted(key(1), AT - DAY)])], []),
    "not in the next full scan": ([full(AT, item(1), item(2, type="z")), full(AT + DAY, item(2, type="z"))], ["z"]),
    "changed while the full scan ran": ([
        archive(scan(AT + 2 * DAY, since=AT), [put(item(1, AT + DAY - 9 * MINUTE, type="a"))]),
        full(AT + DAY), full(AT + HOUR)], ["a"]),
    "changed long before the full scan": ([
        archive(scan(AT, since=EARLY), [put(item(1, AT - 11 * MINUTE))]), full(AT + MINUTE)], []),
    "extracted after the full scan": ([
        archive(scan(AT + DAY, since=AT), [put(item(1, EARLY, type="late"))]), full(AT)], ["late"]),
    "refused in the full scan": ([full(AT, item(1, type="a")), full(AT + DAY, item(1, cost=Tagged(BOOL=True)))], ["a"]),
    "not in a full scan of another": ([full(AT, item(1, type="a")), archive(scan(AT + DAY, table="other"))], ["a"]),
    "not in a query": ([full(AT, item(1, type="a")), archive(scan(AT + DAY, mode="query"))], ["a"]),
    "not in a window": ([full(AT, item(1, type="a")), archive(scan(AT + DAY, since=AT))], ["a"]),
    "not in DynamoDB's own full export": ([full(AT, item(1)), archive(native(AT + DAY))], []),
    "without a time, in a full scan": ([full(AT, {"treatment": {"id": 1, "type": "a"}})], ["a"]),
}  # fmt: skip
"""Deliveries, and the kinds of the treatments that are left."""


@pytest.fixture(scope="module")
def held(engine):
    """All cases in one run of the engine: apart by their numbers, tables and deliveries. Backwards, too."""
    bronze = None
    for number, (deliveries, _) in enumerate(HELD.values()):
        for turn, contents in enumerate((deliveries, deliveries[::-1])):
            case = read(contents)
            for rows in case.values():
                for row in rows:
                    row["delivery_id"] = f"{number}.{turn}.{row['delivery_id']}"
                    if "treatment_id" in row:
                        own = int(row["treatment_id"]) + 10 * (2 * number + turn)
                        row["treatment_id"] = own if isinstance(row["treatment_id"], int) else f"{own}"
                    if row.get("table_name"):
                        row["table_name"] = f"{number}.{turn}.{row['table_name']}"
            bronze = case if bronze is None else {name: bronze[name] + rows for name, rows in case.items()}
    rows = built(engine, bronze, names=["treatments"])["treatments"]
    found = {}
    for row in sorted(rows, key=lambda row: row["treatment_id"]):
        found.setdefault(row["treatment_id"] // 10, []).append(row["treatment_type"])
    return found


@pytest.mark.parametrize("number", range(len(HELD)), ids=list(HELD))
def test_what_holds_is_told_by_the_deliveries_in_any_order(held, number):
    _, expected = list(HELD.values())[number]
    assert held.get(2 * number, []) == held.get(2 * number + 1, []) == expected


def treated(number, provider, outcome=None, *, city=("United States", "Illinois", "Springfield"), place=1, **treatment):
    """A treatment of a provider, in a city."""
    country, state, name = city
    return item(
        number,
        outcome_status=outcome,
        **{"type": "Surgery", "start_date": "2024-01-31T23:59:59Z", **treatment},
        more={
            "provider": {"id": provider, "full_name": f"Provider {provider}", "speciality_id": 7},
            "location": {"id": place, "country": country, "state": state, "city": name},
        },
    )


MISSOURI = ("United States", "Missouri", "Springfield")
STAR = [
    *(treated(n, 1, outcome)
      for n, outcome in enumerate(["Success", " successful ", "CURED", "Failed", "Pending", None], 1)),
    *(treated(n, 2, "Ongoing", city=MISSOURI, place=2) for n in range(11, 17)),
    *(treated(n, 3, "Transferred", cost=Decimal("0.10") * (n - 21)) for n in range(21, 24)),
    treated(30, 4, "recovered", cost=Decimal("12.50"), start_date="2024-02-01", completion_date="2024-02-11",
            duration_in_days=10, city=("United States", "Massachusetts", "Springfield"), place=3),
    treated(31, 4, "died", cost=Decimal(-1), completion_date="2024-01-01", duration_in_days=3, place=4),
    {"treatment": {"id": 40}},
]  # fmt: skip


@pytest.fixture(scope="module")
def star(engine):
    bronze = read([full(AT, *STAR)])
    return built(engine, bronze, homes={"Sunny Home": "175545"})


def by(rows, *names):
    return {tuple(row[name] for name in names): row for row in rows}


def test_success_is_counted_over_what_is_decided(star):
    rates = {row["provider_id"]: row for row in star["summary_provider_success_rates"]}
    assert (rates[1]["successes"], rates[1]["decided"], rates[1]["success_rate"]) == (3, 4, 0.75)
    assert (rates[2]["total_treatments"], rates[2]["decided"], rates[2]["success_rate"]) == (6, 0, None)
    assert (rates[3]["decided"], rates[-1]["full_name"]) == (0, "(unknown)")
    classes = {row["status"]: row["outcome_class"] for row in star["dim_treatment_types_and_outcome_statuses"]}
    assert classes["Transferred"] == "unknown"
    assert classes["CURED"] == classes["successful"] == "success"


def test_equal_ones_share_a_rank_and_who_has_nothing_has_none(star):
    totals = {row["provider_id"]: row["rank"] for row in star["provider_treatment_rank"]}
    assert totals == {1: 1, 2: 1, 3: 3, 4: 4, -1: None}
    rates = {row["provider_id"]: (row["rank"], row["is_small_n"]) for row in star["provider_success_rate_rank"]}
    assert rates == {1: (1, True), 4: (2, True), 2: (None, True), 3: (None, True), -1: (None, True)}


def test_springfields_are_apart_and_places_of_one_name_together(star):
    cities = {(row["state"], row["city"]): row["total_treatments"] for row in star["summary_total_treatments_per_city"]}
    assert cities == {
        ("Illinois", "Springfield"): 10, ("Missouri", "Springfield"): 6, ("Massachusetts", "Springfield"): 1,
        ("(unknown)", "(unknown)"): 1,
    }  # fmt: skip
    shares = star["geographical_treatment_distribution"]
    assert {row["state"]: row["share"] for row in shares}["Missouri"] == 6 / 18
    assert sum(row["share"] for row in shares) == pytest.approx(1)


def test_months_are_those_of_the_start_and_those_without_are_a_row(star):
    months = {row["month_start"] and f"{row['month_start']}": row for row in star["monthly_treatment_trends"]}
    assert {month: row["total_treatments"] for month, row in months.items()} == {
        "2024-01-01": 16, "2024-02-01": 1, None: 1,
    }  # fmt: skip
    assert (months["2024-01-01"]["open"], months["2024-01-01"]["decided"]) == (8, 5)
    assert [months[month]["is_mature"] for month in ("2024-01-01", "2024-02-01")] == [False, True]


def test_costs_are_exact_and_zero_counts(star):
    costs = {row["provider_id"]: row for row in star["summary_avg_treatment_cost"]}
    told = ("total_cost", "n_with_cost", "avg_treatment_cost")
    assert [costs[3][name] for name in told] == [Decimal("0.30"), 3, 0.30 / 3]
    assert [costs[4][name] for name in told] == [Decimal("11.50"), 2, 5.75]
    assert [costs[1][name] for name in told] == [None, 0, None]


def test_the_fact_names_members_and_the_unknown_one_where_nothing_is_known(star):
    facts = {row["fact_treatment_sk"]: row for row in star["fact_treatments"]}
    keys = {name: value for name, value in facts[40].items() if name.endswith("_sk") and name != "fact_treatment_sk"}
    assert {name for name, value in keys.items() if value != -1} == {"treatment_type_and_outcome_status_sk"}
    assert len(keys) == 12
    assert (facts[1]["start_date_sk"], facts[1]["start_time_sk"]) == (20240131, 86399)
    assert (facts[30]["completion_date_sk"], facts[30]["completion_time_sk"]) == (20240211, 0)
    assert (facts[1]["provider_sk"], facts[1]["speciality_sk"], facts[1]["location_sk"]) == (1, 7, 1)
    assert {row["fact_treatment_sk"] for row in star["fact_treatments"]} == {
        row["treatment_id"] for row in star["treatments"]
    }
    (day,) = (row for row in star["dim_dates"] if row["date_sk"] == 20240211)
    assert (day["day_of_week"], day["quarter"], day["is_weekend"]) == (1, 1, True)
    assert len(star["dim_times"]) == 86_401


def test_what_is_odd_is_flagged(engine):
    odd = {
        1: item(1, "2099-01-01T00:00:00Z"),
        2: item(2, "2024-01-05"),
        3: item(3, start_date="2024-01-05", completion_date="2024-01-04"),
        4: item(4, start_date="2024-01-01", completion_date="2024-01-04", duration_in_days=2),
        5: item(5, cost=Decimal(-1)),
        6: item(6, type="a"),
        7: item(7, more={"provider": {"affiliated_hospital": " Sunny Home "}}),
    }
    bronze = read([full(AT, *odd.values(), item(6, type="b"))])
    rows = {row["treatment_id"]: row for row in built(engine, bronze, homes={"Sunny Home": "175545"})["treatments"]}
    flags = {n: {name for name, value in row.items() if name.startswith("is_") and value} for n, row in rows.items()}
    assert flags == {
        1: {"is_future_modified"}, 2: {"is_type_coerced"}, 3: {"is_completed_before_start"},
        4: {"is_duration_inconsistent"}, 5: {"is_cost_negative"}, 6: {"is_conflicting"}, 7: set(),
    }  # fmt: skip
    assert [rows[n]["facility_ccn"] for n in (6, 7)] == [None, "175545"]
    assert rows[6]["treatment_type"] == "b"


def test_keys_are_those_of_what_they_stand_for_whatever_else_is_there(engine):
    def keys(*kinds):
        bronze = read([full(AT, *(item(n, type=kind, outcome_status="cured") for n, kind in enumerate(kinds)))])
        name = "dim_treatment_types_and_outcome_statuses"
        rows = built(engine, bronze, names=["treatments", name])[name]
        return {row["type"]: row["treatment_type_and_outcome_status_sk"] for row in rows}

    first, second, spelt = keys("A", "B"), keys("A", "C"), keys(" a ", "B")
    assert first["A"] == second["A"] == spelt["a"]
    assert len({*first.values(), *second.values()}) == 4


def test_what_windows_ought_to_have_seen_is_late(engine):
    """The first extraction makes nothing late, nor the same one again; a window until ten minutes before does."""
    first = [full(AT, item(1), item(2, AT - HOUR)), full(AT, item(2, AT - HOUR))]
    then = archive(scan(AT + HOUR, since=AT - 2 * HOUR), [put(item(3, AT + MINUTE))])
    missed = [item(4, AT - 10 * MINUTE), item(5, AT - 9 * MINUTE), item(6, None), item(2, AT - 59 * MINUTE)]
    last = full(AT + DAY, item(1), item(3, AT + MINUTE), *missed)
    for deliveries in ([*first, then, last], [last, then, *first, last]):
        rows = built(engine, read(deliveries), names=["treatments"])["treatments"]
        assert {row["treatment_id"]: row["is_late"] for row in rows} == {
            1: False, 2: True, 3: False, 4: True, 5: False, 6: False,
        }  # fmt: skip
