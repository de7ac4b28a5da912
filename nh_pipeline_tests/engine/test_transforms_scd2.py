"""Histories: what starts a version, what ends one, and that only the releases decide, not their arrival."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from datetime import date, datetime, timezone
from itertools import count
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.model.table import REJECTS
from nh_pipeline.transforms import scd2, typed
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.scd2_model import UNKNOWN, Release, versions

if TYPE_CHECKING:
    from pathlib import Path

    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.context import BuildContext

pytestmark = pytest.mark.integration
DAYS = [date(2024, n, 1) for n in range(1, 7)]
VALIDITY = ["valid_from", "valid_to", "is_current", "closed_reason", "is_reappearance", "release_delivery_id"]


def contract_of(*tracked: str, caseless: frozenset[str] = frozenset()) -> Table:
    """``dim_providers`` with fewer tracked columns."""
    columns = tuple(DIM_PROVIDERS.by_name[n] for n in ("provider_id", *tracked, *VALIDITY))
    kind = replace(DIM_PROVIDERS.kind, columns=tracked, caseless=caseless)
    return replace(DIM_PROVIDERS, columns=columns, kind=kind)


SMALL = contract_of("provider_name", "ownership_type", "chain_name", caseless=frozenset({"ownership_type"}))


def built(engine, releases: list[Release], shuffle=lambda rows: rows) -> list[dict[str, Any]]:
    """The transform's versions, in order."""
    lacking = {c: [r.delivery_id for r in releases if c in r.lacking] for c in SMALL.kind.tracked}
    rows = [
        (key, *((row or {}).get(c) if c not in r.lacking else None for c in SMALL.kind.tracked), r.day, r.delivery_id,
         None if row is not None else "refused")
        for r in releases for key, row in r.rows.items()
    ]  # fmt: skip
    columns = ", ".join(f"{c} string" for c in ("provider_id", *SMALL.kind.tracked))
    frame = engine.createDataFrame(shuffle(rows), f"{columns}, release date, delivery_id string, reason string")
    refused = any(row[-1] for row in rows)
    made = scd2.versions(frame, SMALL, lacking={c: ids for c, ids in lacking.items() if ids}, refused=refused)
    assert made.columns == list(SMALL.names)
    found = [row.asDict() for row in made.orderBy("provider_id", "valid_from").collect()]
    again = engine.createDataFrame([tuple(row.values()) for row in found], SMALL.spark)
    broken = scd2.broken_history(again, SMALL).collect()
    assert not broken, broken
    return found


def modelled(releases: list[Release]) -> list[dict[str, Any]]:
    return [
        {
            "provider_id": v.key,
            **{c: None if value is UNKNOWN else value for c, value in v.values.items()},
            "valid_from": v.valid_from,
            "valid_to": v.valid_to,
            "is_current": v.valid_to is None,
            "closed_reason": v.closed_reason,
            "is_reappearance": v.is_reappearance,
            "release_delivery_id": v.delivery_id,
        }
        for v in versions(releases, SMALL.kind.tracked, SMALL.kind.caseless)
    ]


def row(
    name: str | None = "N", owner: str | None = "For profit", chain_name: str | None = "C"
) -> dict[str, str | None]:
    return {"provider_name": name, "ownership_type": owner, "chain_name": chain_name}


def releases_of(*rows: Any, lacking: tuple[int, ...] = ()) -> list[Release]:
    """Releases of provider 1 beside one that never changes; ``"absent"`` for a release without it."""
    return [
        Release(
            day,
            f"d{n}",
            {**({} if said == "absent" else {"000001": said}), "000002": row("other")},
            frozenset({"chain_name"}) if n in lacking else frozenset(),
        )
        for n, (day, said) in enumerate(zip(DAYS, rows, strict=False))
    ]


def spans(engine, releases: list[Release]) -> list[tuple[Any, ...]]:
    """(name, owner, chain, from, to, closed_reason, is_reappearance) of provider 1; months for dates."""
    found = built(engine, releases)
    assert found == modelled(releases)
    assert len([v for v in found if v["provider_id"] == "000002"]) == 1
    return [
        (*(v[c] for c in SMALL.kind.tracked), v["valid_from"].month, v["valid_to"] and v["valid_to"].month,
         v["closed_reason"], v["is_reappearance"])
        for v in found if v["provider_id"] == "000001"
    ]  # fmt: skip


FOR = "For profit"


def test_there_and_back_is_three_versions(engine):
    assert spans(engine, releases_of(row("A"), row("B"), row("A"), row("A"))) == [
        ("A", FOR, "C", 1, 2, "changed", False),
        ("B", FOR, "C", 2, 3, "changed", False),
        ("A", FOR, "C", 3, None, None, False),
    ]


def test_absent_and_back(engine):
    assert spans(engine, releases_of(row(), "absent", "absent", row(), "absent")) == [
        ("N", FOR, "C", 1, 2, "absent", False),
        ("N", FOR, "C", 4, 5, "absent", True),
    ]


def test_new_in_a_later_release_is_no_reappearance(engine):
    assert spans(engine, releases_of("absent", row())) == [("N", FOR, "C", 2, None, None, False)]


def test_a_missing_month_closes_nothing(engine):
    first, _, third = releases_of(row(), row(), row("B"))
    assert spans(engine, [first, third]) == [
        ("N", FOR, "C", 1, 3, "changed", False),
        ("B", FOR, "C", 3, None, None, False),
    ]


def test_two_releases_in_one_month(engine):
    first, second = releases_of(row("A"), row("B"))
    second = Release(date(2024, 1, 18), "d1", second.rows)
    found = [v for v in built(engine, [first, second]) if v["provider_id"] == "000001"]
    assert [(v["valid_from"].day, v["valid_to"] and v["valid_to"].day) for v in found] == [(1, 18), (18, None)]


def test_letter_case(engine):
    owners = releases_of(row(), row(owner="FOR PROFIT"), row(owner="for profit"))
    assert spans(engine, owners) == [("N", FOR, "C", 1, None, None, False)]
    names = releases_of(row("Arbor"), row("ARBOR"))
    assert [v[0] for v in spans(engine, names)] == ["Arbor", "ARBOR"]


def test_null_is_a_value(engine):
    assert [v[0] for v in spans(engine, releases_of(row("A"), row(None), row(None), row("A")))] == ["A", None, "A"]


def test_a_column_that_appears_later(engine):
    assert spans(engine, releases_of(row(), row(), row(), row(chain_name="D"), lacking=(0, 1))) == [
        ("N", FOR, "C", 1, 4, "changed", False),
        ("N", FOR, "D", 4, None, None, False),
    ]


def test_a_column_that_disappears(engine):
    assert spans(engine, releases_of(row(), row(), row("B"), lacking=(1, 2))) == [
        ("N", FOR, "C", 1, 3, "changed", False),
        ("B", FOR, "C", 3, None, None, False),
    ]


def test_a_column_that_is_away_for_a_while(engine):
    assert len(spans(engine, releases_of(row(), row(), row(), lacking=(1,)))) == 1
    changed = releases_of(row(), row(), row(chain_name="D"), lacking=(1,))
    assert [(v[2], v[3]) for v in spans(engine, changed)] == [("C", 1), ("D", 3)]


def test_refused_values_keep_the_presence(engine):
    assert spans(engine, releases_of(row(), None, row(), None)) == [("N", FOR, "C", 1, None, None, False)]
    assert spans(engine, releases_of(row(), None, row("B"))) == [
        ("N", FOR, "C", 1, 3, "changed", False),
        ("B", FOR, "C", 3, None, None, False),
    ]
    assert spans(engine, releases_of(row(), "absent", None)) == [
        ("N", FOR, "C", 1, 2, "absent", False),
        ("N", FOR, "C", 3, None, None, True),
    ]


def test_refused_values_at_first_are_unknown(engine):
    assert spans(engine, releases_of(None, row())) == [
        (None, None, None, 1, 2, "changed", False),
        ("N", FOR, "C", 2, None, None, False),
    ]


def test_refused_values_after_a_layout_that_lacks_a_column(engine):
    assert spans(engine, releases_of(row(), row(), None, lacking=(1,))) == [("N", FOR, "C", 1, None, None, False)]


def test_broken_histories_are_found(engine):
    def version(key, start, end, **more):
        said = {
            "provider_id": key,
            **row(),
            "is_reappearance": False,
            "release_delivery_id": "d",
            "closed_reason": None,
        }
        said |= {"valid_from": start, "valid_to": end, "is_current": end is None, **more}
        return tuple(said[c] for c in SMALL.names)

    one, two, three = DAYS[:3]
    rows = [
        version("000001", one, two), version("000001", two, None),  # nothing changes
        version("000002", one, three), version("000002", two, None, provider_name="B"),
        version("000003", one, None), version("000003", two, None, provider_name="B"),
        version("000004", one, None, is_reappearance=True),
        version("000005", one, two), version("000005", two, None, ownership_type="FOR PROFIT"),  # nothing but case
        version("000006", one, two), version("000006", three, None),  # a gap is legal
        version("000007", one, two), version("000007", two, None, provider_name=None),
    ]  # fmt: skip
    broken = scd2.broken_history(engine.createDataFrame(rows, SMALL.spark), SMALL).collect()
    assert {r["provider_id"]: r["rule"] for r in broken} == {
        "000001": "no_change",
        "000002": "overlap",
        "000003": "second_current",
        "000004": "first_reappears",
        "000005": "no_change",
    }


KEYS = [f"00000{n}" for n in range(6)]
_row = st.fixed_dictionaries(
    {
        "provider_name": st.sampled_from(["A", "a", "B", None]),
        "ownership_type": st.sampled_from(["For profit", "FOR PROFIT", "Non profit", None]),
        "chain_name": st.sampled_from(["C", "D", None]),
    }
)
_said = st.one_of(_row, _row, _row, st.none())


@st.composite
def histories(draw) -> list[Release]:
    found = []
    for n, day in enumerate(DAYS[: draw(st.integers(3, 5))]):
        rows = draw(st.dictionaries(st.sampled_from(KEYS), _said, min_size=1, max_size=6))
        lacking = draw(st.sampled_from([frozenset(), frozenset(), frozenset({"chain_name"})]))
        found.append(Release(day, f"d{n}", rows, lacking))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), rnd=st.randoms(use_true_random=False))
def test_the_transform_does_what_the_model_does(engine, history, rnd):
    assert built(engine, history, shuffle=lambda rows: rnd.sample(rows, len(rows))) == modelled(history)


# From here on through landing, bronze and the step.

HEADER = {
    "provider_id": "CMS Certification Number (CCN)", "provider_name": "Provider Name", "state": "State",
    "ownership_type": "Ownership Type", "certified_beds": "Number of Certified Beds", "chain_name": "Chain Name",
    "overall_rating": "Overall Rating", "health_inspection_rating": "Health Inspection Rating",
    "qm_rating": "QM Rating", "staffing_rating": "Staffing Rating", "processing_date": "Processing Date",
}  # fmt: skip
_CELLS = {
    "state": "AL",
    "certified_beds": "50",
    "overall_rating": "3",
    "health_inspection_rating": "3",
    "staffing_rating": "3",
}


def provider_file(
    path: Path, day: date, rows: list[dict[str, str | None]], *, hour: int = 0, lacking: frozenset[str] = frozenset()
) -> Path:
    """A Provider Information file as CMS would deliver it; ``hour`` orders the deliveries of one release."""
    names = [name for name in HEADER if name not in lacking]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER[name] for name in names)
    for cells in rows:
        whole = {**_CELLS, "processing_date": f"{day:%Y-%m-%d}", **cells}
        writer.writerow(whole.get(name) or "" for name in names)
    path.write_text(text.getvalue())
    when = datetime(day.year, day.month, day.day, hour, tzinfo=timezone.utc).timestamp()
    os.utime(path, (when, when))
    return path


def named(*names: str | None, **more: str) -> list[dict[str, str | None]]:
    return [{"provider_id": f"{n:06d}", **row(name), **more} for n, name in enumerate(names, 1)]


def dim(workspace: BuildContext, *paths: Path) -> list[dict[str, Any]]:
    chain.land(workspace, *paths)
    chain.parse(workspace, "providers")
    chain.dimension(workspace, "providers")
    return chain.rows(workspace.lake, DIM_PROVIDERS)


def test_formatting_is_no_change(workspace, tmp_path):
    w = workspace()
    first = named("A", certified_beds="50", overall_rating="5.0", zip_code="1", special_focus_status="SFF")
    second = named(" A ", certified_beds="50.0", overall_rating="5", zip_code="1", special_focus_status="sff")
    second[0]["ownership_type"] = " FOR PROFIT"
    third = named("A", certified_beds="51", overall_rating="5")
    paths = [provider_file(tmp_path / f"{n}.csv", DAYS[n], rows) for n, rows in enumerate((first, second, third))]
    found = dim(w, *paths)
    assert [(v["valid_from"].month, v["provider_name"], v["certified_beds"], v["overall_rating"]) for v in found] == [
        (1, "A", 50, 5),
        (3, "A", 51, 5),
    ]


def test_a_corrected_release_replaces_the_first_one(workspace, tmp_path):
    w = workspace()
    first = provider_file(tmp_path / "1.csv", DAYS[0], named("A", "X"))
    second = provider_file(tmp_path / "2.csv", DAYS[1], named("B", "X"))
    assert [v["provider_name"] for v in dim(w, first, second)] == ["A", "B", "X"]
    corrected = provider_file(tmp_path / "2c.csv", DAYS[1], named("A", "X"), hour=9)
    found = dim(w, corrected)
    assert [(v["provider_name"], v["valid_to"]) for v in found] == [("A", None), ("X", None)]
    _, statuses = chain.dimension(w, "providers")
    assert [(s.name, s.state) for s in statuses] == [
        ("1.csv", "effective"),
        ("2.csv", "superseded"),
        ("2c.csv", "effective"),
    ]


def test_a_doubled_key_refuses_the_release_but_blank_ones_only_their_lines(workspace, tmp_path):
    w = workspace()
    good = provider_file(tmp_path / "1.csv", DAYS[0], named("A", "X"))
    doubled = provider_file(
        tmp_path / "2.csv", DAYS[1], [*named("B", "X"), {**named("C")[0], "provider_id": " 000001"}]
    )
    blank = provider_file(
        tmp_path / "3.csv", DAYS[2], [*named("D", "X"), {"provider_id": ""}, {"provider_id": "", "state": "NY"}]
    )
    chain.land(w, blank)
    (third,) = w.zone.deliveries("providers")
    confirm(w.lake.storage, third, reason="two blank lines of four are half of it")
    found = dim(w, good, doubled)
    assert [(v["provider_name"], v["valid_from"].month) for v in found] == [("A", 1), ("D", 3), ("X", 1)]
    _, statuses = chain.dimension(w, "providers")
    assert {s.name: s.state for s in statuses} == {"1.csv": "effective", "2.csv": "refused", "3.csv": "effective"}
    assert [(r["file_name"], r["source_line"], r["reason"]) for r in chain.rows(w.lake, REJECTS)] == [
        (
            "3.csv",
            n,
            "provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found nothing",
        )
        for n in (4, 5)
    ]


@pytest.mark.parametrize("written", ["04/01/2024", "4/1/2024", "20240401", "2024-04-01T00:00:00.000"])
def test_every_processing_date_that_lands_is_read(workspace, tmp_path, written):
    w = workspace()
    rows = named("A", processing_date=written)
    assert [v["valid_from"] for v in dim(w, provider_file(tmp_path / "1.csv", DAYS[3], rows))] == [DAYS[3]]
    assert chain.rows(w.lake, REJECTS) == []


def test_a_line_that_does_not_say_its_release_is_refused_but_present(workspace, tmp_path):
    w = workspace()
    first = provider_file(tmp_path / "1.csv", DAYS[0], named(*"AB"))
    later = named(*"XB")
    later[0]["processing_date"] = " "
    found = dim(w, first, provider_file(tmp_path / "2.csv", DAYS[1], later))
    assert [(v["provider_name"], v["is_current"]) for v in found] == [("A", True), ("B", True)]
    (reject,) = chain.rows(w.lake, REJECTS)
    assert (reject["column_name"], reject["source_line"]) == ("processing_date", 2)


def test_refused_values_and_truncated_releases(workspace, tmp_path):
    w = workspace()
    first = provider_file(tmp_path / "1.csv", DAYS[0], named(*"ABCDEFGHIJKLMNOPQRST"))
    second = provider_file(tmp_path / "2.csv", DAYS[1], named("A", *"BCDEFGHIJKLMNOPQRS"))  # 1 of 20 away: 5 %
    third = provider_file(tmp_path / "3.csv", DAYS[2], named("A", *"BCDEFGHIJKLMNOPQ"))  # 2 of 19 away
    rows = named("B", *"BCDEFGHIJKLMNOPQRS")
    rows[0]["overall_rating"] = "6"
    fourth = provider_file(tmp_path / "4.csv", DAYS[3], rows)
    found = dim(w, first, second, third, fourth)
    assert [(v["provider_id"], v["valid_to"]) for v in found if not v["is_current"]] == [("000020", DAYS[1])]
    assert [v["provider_name"] for v in found if v["provider_id"] == "000001"] == ["A"]
    (reject,) = chain.rows(w.lake, REJECTS)
    assert reject["reason"] == 'overall_rating: expected stars from 1 to 5, found "6"'
    _, statuses = chain.dimension(w, "providers")
    assert [s.state for s in statuses] == ["effective", "effective", "held", "effective"]
    held = next(d for d in w.zone.deliveries("providers") if d.manifest.name == "3.csv")
    assert f"nh confirm {held.delivery_id[:12]}" in statuses[2].reason
    confirm(w.lake.storage, held, reason="two homes closed")
    chain.dimension(w, "providers")
    found = chain.rows(w.lake, DIM_PROVIDERS)
    assert [(v["valid_from"], v["is_reappearance"]) for v in found if v["provider_id"] == "000019"] == [
        (DAYS[0], False),
        (DAYS[3], True),
    ]


@st.composite
def deliveries(draw) -> tuple[list[Release], list[int], list[bool], bool]:
    """Deliveries in order of precedence (some releases twice), their arrival, when to build, and whether confirmed."""
    said = st.fixed_dictionaries(
        {"provider_name": st.sampled_from("AB"),
         "ownership_type": st.sampled_from(["For profit", "FOR PROFIT", "Other"]),
         "chain_name": st.sampled_from(["C", "D", None])}
    )  # fmt: skip
    found, salt = [], count()
    for day in DAYS[: draw(st.integers(3, 5))]:
        for _ in range(draw(st.sampled_from([1, 1, 2]))):
            rows = draw(st.dictionaries(st.sampled_from(KEYS), said, min_size=4, max_size=6))
            lacking = draw(st.sampled_from([frozenset(), frozenset({"chain_name"})]))
            found.append(Release(day, f"{next(salt)}", rows, lacking))
    arrival = draw(st.permutations(range(len(found))))
    return found, arrival, draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found))), draw(st.booleans())


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(plan=deliveries())
def test_any_arrival_gives_the_same_history(workspace, tmp_path_factory, plan):
    wanted, arrival, build, approve = plan
    folder = tmp_path_factory.mktemp("drop")
    paths = [
        provider_file(folder / f"{n}.csv", r.day, [{"provider_id": k, **cells} for k, cells in r.rows.items()],
                      hour=n, lacking=r.lacking)
        for n, r in enumerate(wanted)
    ]  # fmt: skip
    here, there = workspace(), workspace()
    for n, now in zip(arrival, build, strict=True):
        chain.land(here, paths[n])
        if now:
            chain.parse(here, "providers")
            chain.dimension(here, "providers")
    again = folder / "again.csv"  # the same bytes under another name, later
    again.write_bytes(paths[arrival[0]].read_bytes())
    chain.land(here, again)
    chain.land(there, *paths)
    for w in (here, there):
        for delivery in w.zone.deliveries("providers") if approve else []:
            confirm(w.lake.storage, delivery, reason="all are")
        chain.parse(w, "providers")
        chain.dimension(w, "providers")
    before = chain.snapshots(here.lake)
    _, statuses = chain.dimension(here, "providers")
    assert chain.snapshots(here.lake) == before
    assert chain.table(here.lake, DIM_PROVIDERS).equals(chain.table(there.lake, DIM_PROVIDERS))
    if approve:  # nothing is held: the last delivery of each release counts
        ids = {d.manifest.name: d.delivery_id for d in there.zone.deliveries("providers")}
        last = {r.day: replace(r, delivery_id=ids.get(f"{n}.csv", "")) for n, r in enumerate(wanted)}
        if all(r.delivery_id for r in last.values()):  # else two deliveries of a release have the same bytes
            assert sorted(s.delivery_id for s in statuses if s.state == "effective") == sorted(
                r.delivery_id for r in last.values()
            )
            found = [{c: v[c] for c in SMALL.names} for v in chain.rows(here.lake, DIM_PROVIDERS)]
            assert found == modelled(list(last.values()))


# The real files of 2021 to 2025.

REAL_2025 = [f"NH_ProviderInfo_{m}2025.csv" for m in ("Jul", "Sep", "Oct", "Nov", "Dec")]
REAL = ["NH_ProviderInfo_Aug2021.zip", "NH_ProviderInfo_Nov2024.csv", *REAL_2025]
GOLDEN = {
    "name": "provider_name", "state": "state", "city": "city", "county": "county", "ownership": "ownership_type",
    "overall": "overall_rating", "staffing": "staffing_rating", "sff": "special_focus_status",
}  # fmt: skip


def measured(versions: Any, series: dict[str, Any]) -> dict[str, Any]:
    """What golden/provider_changes_2025.json tells of a series, counted from an SCD2 table (Arrow)."""
    with duckdb.connect() as db:
        db.register("dim", versions)

        def one(sql: str) -> int:
            return db.execute(sql).fetchone()[0]

        steps = []
        for step in series["steps"]:
            day = f"date '{step['to']}'"
            ended = f"o.provider_id = n.provider_id and o.valid_to = {day}"
            pair = f"from dim n join dim o on {ended} where n.valid_from = {day}"
            fresh = f"from dim n where valid_from = {day} and not exists (select 1 from dim o where {ended})"
            lasting = f"valid_from <= date '{step['from']}' and (valid_to is null or valid_to > {day})"
            steps.append(
                {
                    "from": step["from"],
                    "to": step["to"],
                    "new": one(f"select count(*) {fresh}"),
                    "of_which_reappeared": one(f"select count(*) {fresh} and is_reappearance"),
                    "vanished": one(f"select count(*) from dim where valid_to = {day} and closed_reason = 'absent'"),
                    "changed": one(f"select count(*) {pair}"),
                    "unchanged": one(f"select count(*) from dim where {lasting}"),
                    "changed_by_column": {
                        c: one(f"select count(*) {pair} and n.{mine} is distinct from o.{mine}")
                        for c, mine in GOLDEN.items()
                    },
                }
            )
        return {
            "steps": steps,
            "rows_first_vintage": one(f"select count(*) from dim where valid_from = date '{series['vintages'][0]}'"),
            "scd2_versions_total": one("select count(*) from dim"),
            "scd2_versions_current": one("select count(*) from dim where is_current"),
            "scd2_versions_closed": one("select count(*) from dim where valid_to is not null"),
            "distinct_ccn": one("select count(distinct provider_id) from dim"),
            "max_versions_of_one_ccn": one("select max(n) from (select count(*) n from dim group by provider_id)"),
        }


def golden(real_data: Path, name: str) -> dict[str, Any]:
    return json.loads((real_data / "golden" / "provider_changes_2025.json").read_text())[name]


def without_vintages(series: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in series.items() if k != "vintages"}


@pytest.mark.golden
def test_the_real_series_of_2025_in_any_order(workspace, real_data):
    paths = [real_data / "drop" / name for name in REAL_2025]
    series = golden(real_data, "series_2025")
    at_once, reverse = workspace(), workspace()
    chain.land(at_once, *(paths[n] for n in (2, 0, 4, 1, 3)))
    chain.parse(at_once, "providers")
    chain.dimension(at_once, "providers")
    for late in (paths[3:], paths[1:3], paths[:1]):
        dim(reverse, *reversed(late))
    found = chain.table(at_once.lake, DIM_PROVIDERS)
    assert found.equals(chain.table(reverse.lake, DIM_PROVIDERS))
    assert measured(found, series) == without_vintages(series)
    assert chain.rows(at_once.lake, REJECTS) == []


@pytest.mark.golden
def test_all_real_series(workspace, real_data):
    w = workspace()
    chain.land(w, *(real_data / "drop" / name for name in REAL))
    chain.parse(w, "providers")
    bronze = w.read(BRONZE["providers"], w.lake.snapshot(BRONZE["providers"]))
    contract = contract_of(*GOLDEN.values())
    dataset, columns = datasets.dataset("providers"), contract.columns[: 1 + len(contract.kind.tracked)]
    lines = typed.classified(bronze, dataset, columns)
    rows = typed.typed(lines, dataset, columns).where("provider_id is not null")
    for name in ("series_nov2024_and_2025", "series_all_shared"):
        series = golden(real_data, name)
        some = rows.where(f"release >= date '{series['vintages'][0]}'")
        # The golden rules know no layouts: a blank is NULL, whether the column is there or not.
        table = scd2.versions(some, contract, lacking={}, refused=False).toPandas()
        assert measured(table, series) == without_vintages(series)
