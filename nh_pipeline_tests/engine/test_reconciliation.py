"""CMS's figures recomputed, on a few homes by hand: rule by rule, and every verdict."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from nh_pipeline.marts.reconciliation import (
    averages,
    case_mix,
    chains,
    claims,
    mart,
    penalties,
    purchasing,
    ratings,
    staffing,
    surveys,
    vaccination,
)
from nh_pipeline.marts.reconciliation.constants import reconciliation_constants
from nh_pipeline.marts.reconciliation.figure import Release

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

RELEASE = date(2024, 10, 1)
TABLES = {table.short: table for table in mart.MART.inputs}
ADAMS, BAKER, CLARK, DAVIS, EVANS = (f"01500{n}" for n in range(1, 6))


@pytest.fixture(scope="module")
def frame(engine):
    """A table of a few rows, of which only what matters is said."""

    def made(name: str, rows: list[dict[str, Any]]):
        table = TABLES[name]
        values = [
            tuple(
                Decimal(str(row[c.name]))
                if c.type.python is Decimal and row.get(c.name) is not None
                else row.get(c.name)
                for c in table.columns
            )
            for row in rows
        ]
        assert not {key for row in rows for key in row} - set(table.names)
        return engine.createDataFrame(values, table.spark)

    return made


@pytest.fixture(scope="module")
def compared(frame):
    """What a subject makes of a few rows, by rule and entity."""

    def made(subject, day: date = RELEASE, **rows: list[dict[str, Any]]):
        of = Release(day, {name: frame(name, rows.get(name, [])) for name in TABLES})
        found = subject.compared(of).collect()
        return {(row.rule, row.entity): row for row in found}

    return made


def verdicts(found, rule):
    return {entity: row.verdict for (name, entity), row in found.items() if name == rule}


# Staffing


def quarter(home, months=("04", "05", "06"), year=2024, *, hours, residents, **more):
    """A quarter of which every month is the same."""
    quarter = (int(months[0]) + 2) // 3
    sums = {f"{name}_hours_with_residents": total for name, total in hours.items()}
    return [
        {"provider_id": home, "month": date(year, int(month), 1), "cy_qtr": f"{year}Q{quarter}", "days": 30,
         "resident_days": residents, "weekend_resident_days": residents // 4, "days_no_rn": 0, **sums, **more}
        for month in months
    ]  # fmt: skip


INTERVALS = [
    {
        "release": RELEASE,
        "measure_code": "STAFFING_LEVELS",
        "from_date": date(2024, 4, 1),
        "through_date": date(2024, 6, 30),
    }
]
HOURS = {"rn": 700, "lpn": 900, "aide": 2000, "total": 3600, "weekend_total": 800, "weekend_rn": 100}


def staffed(home, **more):
    """What Provider Information reports of a home with ``HOURS`` a month and 1,000 resident-days."""
    return {"release": RELEASE, "provider_id": home, "reported_rn_hprd": 0.7, "reported_lpn_hprd": 0.9,
            "reported_aide_hprd": 2, "reported_licensed_hprd": 1.6, "reported_total_hprd": 3.6,
            "weekend_total_hprd": 3.2, "weekend_rn_hprd": 0.4, "average_residents_per_day": 33.3,
            "staffing_rating": 3, **more}  # fmt: skip


def test_reported_staffing_is_the_quarter_summed_up_first(compared):
    uneven = [
        *quarter(ADAMS, ("04",), hours=HOURS, residents=1000),
        *quarter(ADAMS, ("05", "06"), hours={**dict.fromkeys(HOURS, 0), "rn": 1400, "total": 1400}, residents=3000),
    ]
    found = compared(
        staffing.SUBJECT,
        fct_provider_releases=[
            staffed(ADAMS, reported_rn_hprd=0.5, reported_total_hprd=0.91429, average_residents_per_day=77.8)
        ],
        fct_data_collection_intervals=INTERVALS,
        facility_month=uneven,
    )
    for rule, ours in (
        ("reported_rn_hprd", 3500 / 7000),
        ("reported_total_hprd", 6400 / 7000),
        ("reported_licensed_hprd", 4400 / 7000),
        ("weekend_rn_hprd", 100 / 1750),
        ("average_residents_per_day", 7000 / 90),
    ):
        assert found[rule, ADAMS].ours == pytest.approx(ours, abs=1e-12), rule
    assert verdicts(found, "reported_rn_hprd") == verdicts(found, "reported_total_hprd") == {ADAMS: "equal"}
    assert verdicts(found, "average_residents_per_day") == {ADAMS: "equal"}
    assert found["weekend_rn_hprd", ADAMS].verdict == "mismatch"
    assert found["weekend_rn_hprd", ADAMS].difference == pytest.approx(100 / 1750 - 0.4)


def test_a_home_without_days_or_without_a_figure_and_one_of_another_quarter(compared):
    before = ("01", "02", "03")
    found = compared(
        staffing.SUBJECT,
        fct_provider_releases=[
            staffed(ADAMS),
            staffed(BAKER),
            {"release": RELEASE, "provider_id": CLARK},
            staffed(DAVIS),
        ],
        fct_data_collection_intervals=INTERVALS,
        facility_month=[
            *quarter(ADAMS, hours=HOURS, residents=1000),
            *quarter(CLARK, hours=HOURS, residents=1000),
            *quarter(DAVIS, hours=dict.fromkeys(HOURS, 50), residents=1000),
            *quarter(DAVIS, before, hours=HOURS, residents=1000),
        ],
    )
    expected = {ADAMS: "equal", BAKER: "input missing", CLARK: "suppressed", DAVIS: "series of another quarter"}
    assert verdicts(found, "reported_total_hprd") == expected
    assert found["reported_total_hprd", DAVIS].note == "fits 2024Q1"


@pytest.mark.parametrize(
    ("day", "intervals", "told"),
    [
        (date(2024, 11, 1), INTERVALS, ("equal", None)),  # staffing is renewed in October and January
        (date(2025, 1, 1), INTERVALS, ("input missing", "no interval: fits 2024Q2")),
        (RELEASE, [], ("input missing", "no interval: fits 2024Q2")),
    ],
)
def test_only_the_intervals_say_which_quarter_a_release_reports(compared, day, intervals, told):
    found = compared(
        staffing.SUBJECT,
        day,
        fct_provider_releases=[staffed(ADAMS)],
        fct_data_collection_intervals=intervals,
        facility_month=quarter(ADAMS, hours=HOURS, residents=1000),
    )
    row = found["reported_total_hprd", ADAMS]
    assert (row.verdict, row.note) == told


def test_a_quarter_with_a_month_missing_is_none(compared):
    found = compared(
        staffing.SUBJECT,
        fct_provider_releases=[staffed(ADAMS)],
        fct_data_collection_intervals=INTERVALS,
        facility_month=quarter(ADAMS, ("04", "05"), hours=HOURS, residents=1000),
    )
    assert verdicts(found, "reported_total_hprd") == {ADAMS: "input missing"}


def test_sums_of_published_hours_and_stars_of_footnotes(compared):
    found = compared(
        staffing.SUBJECT,
        fct_provider_releases=[
            staffed(ADAMS, reported_licensed_hprd=1.60001, staffing_rating_footnote="24", staffing_rating=1),
            staffed(BAKER, reported_total_hprd=3.61, staffing_rating_footnote="24", staffing_rating=2),
        ],
        fct_data_collection_intervals=INTERVALS,
        facility_month=[
            *quarter(ADAMS, hours=HOURS, residents=1000, days_no_rn=2),
            *quarter(BAKER, hours=HOURS, residents=1000, days_no_rn=1),
        ],
    )
    assert verdicts(found, "reported_licensed_hprd_as_sum") == {ADAMS: "rounding", BAKER: "equal"}
    assert verdicts(found, "reported_total_hprd_as_sum") == {ADAMS: "rounding", BAKER: "mismatch"}
    assert verdicts(found, "staffing_footnote_days_without_rn") == {ADAMS: "equal", BAKER: "mismatch"}
    assert verdicts(found, "staffing_rating_of_footnote") == {ADAMS: "equal", BAKER: "mismatch"}


# Case-mix

RATIOS = {ADAMS: 0.9984, BAKER: 0.99313, CLARK: 1.08117, DAVIS: 0.90921, EVANS: 1.21433}
N = {"aide": 2.2922, "lpn": 0.8771, "rn": 0.66807, "total": 3.83737, "weekend_total": 3.35315}
C = {"aide": 2.27945, "lpn": 0.87223, "rn": 0.66435, "total": 3.81602, "weekend_total": 3.33449}
REPORTED = {"aide": "reported_aide_hprd", "lpn": "reported_lpn_hprd", "rn": "reported_rn_hprd",
            "total": "reported_total_hprd", "weekend_total": "weekend_total_hprd"}  # fmt: skip


def adjusted(home, nth):
    """A home as CMS computes it, with five decimals."""
    row: dict[str, Any] = {"release": RELEASE, "provider_id": home, "case_mix_index_ratio": RATIOS[home],
                           "case_mix_index": round(RATIOS[home] * 1.35608, 5)}  # fmt: skip
    for staff, n in N.items():
        reported, hours = round(n * (0.8 + nth / 9), 5), RATIOS[home] * n
        row |= {
            REPORTED[staff]: reported,
            f"case_mix_{staff}_hprd": round(hours, 5),
            f"adjusted_{staff}_hprd": round(reported / hours * C[staff], 5),
        }
    return row


def of_case_mix(compared, frame, homes):
    nation = {"release": RELEASE, "state_or_nation": "NATION", "case_mix_index": 1.35608,
              **{f"case_mix_{staff}_hprd": C[staff] for staff in ("rn", "total", "weekend_total")}}  # fmt: skip
    empty = (frame(name, []) for name in ("fct_claims_measures", "fct_snf_vbp_aggregate"))
    solved = reconciliation_constants(frame("fct_provider_releases", homes), *empty, start=RELEASE, end=RELEASE)
    constants = [row.asDict() for row in solved.collect()]
    tables = {
        "fct_provider_releases": homes,
        "reconciliation_constants": constants,
        "fct_state_averages": [nation],
    }
    found = compared(case_mix.HOMES, **tables) | compared(case_mix.NATION, **tables)
    return {row["constant"]: row for row in constants}, found


def test_case_mix_and_adjusted_hours_follow_from_constants_of_the_release(compared, frame):
    constants, found = of_case_mix(compared, frame, [adjusted(home, n) for n, home in enumerate(RATIOS)])
    assert all(row["is_constant"] and row["n"] == 5 for row in constants.values())
    for staff, n in N.items():
        assert constants[f"n_{staff}"]["value"] == pytest.approx(n, abs=1e-5)
        assert constants[f"c_{staff}"]["value"] == pytest.approx(C[staff], abs=1e-5)
    assert {row.verdict for row in found.values()} <= {"equal", "rounding"}
    assert len(found) == 5 * (3 * 5) + (3 + 1)  # homes: N, C, shares and the ratio; the nation
    row = found["adjusted_rn_hprd", EVANS]
    assert row.ours == pytest.approx(row.theirs, abs=2e-5)
    assert row.tolerance < 1e-4


@pytest.mark.parametrize("moved", [("case_mix_rn_hprd",), tuple(f"case_mix_{staff}_hprd" for staff in N)])
def test_case_mix_columns_that_slipped_to_other_homes_are_found(compared, frame, moved):
    homes = [adjusted(home, n) for n, home in enumerate(RATIOS)]
    slipped = [{**home, **{name: homes[n - 1][name] for name in moved}} for n, home in enumerate(homes)]
    constants, found = of_case_mix(compared, frame, slipped)
    for name in moved:
        staff = name.removeprefix("case_mix_").removesuffix("_hprd")
        assert not constants[f"n_{staff}"]["is_constant"]
        assert not constants[f"c_{staff}"]["is_constant"]
        assert list(verdicts(found, name).values()).count("mismatch") >= 4
        assert list(verdicts(found, f"adjusted_{staff}_hprd").values()).count("mismatch") >= 4
    intact = {name for name in found if name[0].removesuffix("_of_total") in REPORTED.values()}
    assert not intact
    if len(moved) == 1:
        assert set(verdicts(found, "adjusted_lpn_hprd").values()) <= {"equal", "rounding"}


def test_the_adjusted_score_of_a_claims_measure(compared):
    homes = [
        {"release": RELEASE, "provider_id": home, "measure_code": "521", "adjusted_score": score,
         "observed_score": 16.129032, "expected_score": 21.306542}
        for home, score in ((ADAMS, 16.990363), (BAKER, 17))
    ]  # fmt: skip
    known = [{"release": RELEASE, "constant": "k_521", "value": 22.444365, "n": 2, "lowest": 22.4, "highest": 22.5,
              "apart": 0, "is_constant": True}]  # fmt: skip
    found = compared(claims.SUBJECT, fct_claims_measures=homes, reconciliation_constants=known)
    assert verdicts(found, "adjusted_score_521") == {ADAMS: "equal", BAKER: "mismatch"}


# Averages


def test_averages_are_unweighted_means_of_homes(compared):
    homes = [
        {"release": RELEASE, "provider_id": ADAMS, "state": "AL", "reported_total_hprd": 3, "rn_turnover": 40},
        {"release": RELEASE, "provider_id": BAKER, "state": "AL", "reported_total_hprd": 4},
        {"release": RELEASE, "provider_id": CLARK, "state": "FL", "reported_total_hprd": 5.00001, "rn_turnover": 50},
    ]
    fine = {"release": RELEASE, "provider_id": ADAMS, "penalty_type": "Fine", "nth": 1}
    scores = {ADAMS: (20, 5), BAKER: (30, None), CLARK: (40, 8)}
    found = compared(
        averages.SUBJECT,
        fct_provider_releases=homes,
        fct_state_averages=[
            {"release": RELEASE, "state_or_nation": "NATION", "reported_total_hprd": 4, "rn_turnover": 45, "fines": 0.7,
             "fine_dollars": 1000, "rehospitalization_521": 30, "ls_uti": 6.5, "cycle_1_fire_deficiencies": 3},
            {"release": RELEASE, "state_or_nation": "AL", "reported_total_hprd": 3.5, "rn_turnover": 40, "fines": 1,
             "fine_dollars": 1501, "rehospitalization_521": 25.000001, "ls_uti": 6, "cycle_1_fire_deficiencies": 2},
            {"release": RELEASE, "state_or_nation": "FL", "reported_total_hprd": 5, "rn_turnover": None, "fines": 0,
             "fine_dollars": 0, "rehospitalization_521": 40, "ls_uti": 8, "cycle_1_fire_deficiencies": None},
            {"release": RELEASE, "state_or_nation": "GU", "reported_total_hprd": 3},
        ],
        fct_penalties=[
            {**fine, "fine_amount": 1000},
            {**fine, "fine_amount": 2000, "nth": 2},
            {**fine, "penalty_type": "Payment Denial"},
            {**fine, "release": date(2024, 9, 1), "fine_amount": 9000},
        ],
        fct_claims_measures=[
            {"release": RELEASE, "provider_id": home, "measure_code": "521", "adjusted_score": score}
            for home, (score, _) in scores.items()
        ],
        fct_mds_measures=[
            {"release": RELEASE, "provider_id": home, "measure_code": "407", "four_quarter_average": score}
            for home, (_, score) in scores.items()
        ],
        fct_survey_summary=[
            {"release": RELEASE, "provider_id": home, "inspection_cycle": 1, "fire_deficiencies": n}
            for home, n in ((ADAMS, 2), (CLARK, 4))
        ],
    )  # fmt: skip
    assert verdicts(found, "mean_reported_total_hprd") == {
        "NATION": "equal", "AL": "equal", "FL": "mismatch", "GU": "input missing",
    }  # fmt: skip
    assert verdicts(found, "mean_rn_turnover") == {"NATION": "equal", "AL": "equal", "FL": "suppressed"}
    assert verdicts(found, "mean_fines") == {"NATION": "equal", "AL": "equal", "FL": "equal"}
    assert verdicts(found, "mean_fine_dollars") == {"NATION": "equal", "AL": "rounding", "FL": "equal"}
    assert verdicts(found, "mean_rehospitalization_521") == {"NATION": "equal", "AL": "rounding", "FL": "equal"}
    assert verdicts(found, "mean_ls_uti") == {"NATION": "equal", "AL": "mismatch", "FL": "equal"}
    assert verdicts(found, "mean_cycle_1_fire_deficiencies") == {"NATION": "equal", "AL": "equal", "FL": "suppressed"}
    assert {row.level for row in found.values()} == {"nation", "state"}


def test_fines_without_the_file_of_fines_are_not_zero(compared):
    found = compared(
        averages.SUBJECT,
        fct_provider_releases=[{"release": RELEASE, "provider_id": ADAMS, "state": "AL"}],
        fct_state_averages=[{"release": RELEASE, "state_or_nation": "AL", "fines": 0}],
    )
    assert verdicts(found, "mean_fines") == {"AL": "input missing"}


def test_vaccination(compared):
    homes = ((ADAMS, "AL", 10.05), (BAKER, "AL", 10.1), (CLARK, "FL", None), (DAVIS, "FL", 40))
    found = compared(
        vaccination.SUBJECT,
        fct_covid_vaccination=[
            {"release": RELEASE, "provider_id": home, "state": state, "residents_up_to_date": value}
            for home, state, value in homes
        ],
        fct_covid_vaccination_averages=[
            {"release": RELEASE, "state_or_nation": state, "residents_up_to_date": value}
            for state, value in (("US", 19.9), ("AL", 10.1), ("FL", 40))
        ],
    )
    assert verdicts(found, "mean_residents_up_to_date") == {"US": "mismatch", "AL": "equal", "FL": "equal"}
    assert found["mean_residents_up_to_date", "US"].ours == pytest.approx(60.15 / 3)
    assert verdicts(found, "mean_staff_up_to_date") == {}  # nobody has a figure: it is not published


def test_chains(compared):
    chain = {"release": RELEASE, "chain_id": "419", "chain_facilities": 3, "chain_overall_rating": 2.3}
    found = compared(
        chains.SUBJECT,
        fct_provider_releases=[
            {**chain, "provider_id": ADAMS, "overall_rating": 1},
            {**chain, "provider_id": BAKER, "overall_rating": None},
            {**chain, "provider_id": CLARK, "overall_rating": 4},
            {"release": RELEASE, "provider_id": DAVIS, "overall_rating": 5},
        ],
    )
    assert {key: row.verdict for key, row in found.items()} == {
        ("chain_facilities", "419"): "equal",
        ("chain_overall_rating", "419"): "mismatch",
    }
    assert found["chain_overall_rating", "419"].ours == 2.5


# Ratings

OVERALL = [  # inspections, staffing, quality, overall since July 2022, and before
    (3, 3, 3, 3, 3),
    (3, 5, 3, 4, 4),
    (3, 4, 3, 3, 4),
    (4, 4, 3, 4, 4),
    (3, 1, 3, 2, 2),
    (3, 3, 5, 4, 4),
    (3, 3, 1, 2, 2),
    (5, 5, 5, 5, 5),
    (2, 1, 1, 1, 1),
    (1, 5, 5, 2, 2),
    (1, 5, 3, 2, 2),
    (1, 1, 5, 2, 2),
    (2, 5, 5, 4, 4),
    (5, 1, 5, 5, 5),
    (3, None, 5, 4, 4),
    (3, 5, None, 4, 4),
]


@pytest.mark.parametrize(("day", "column"), [(date(2022, 7, 1), 3), (date(2022, 6, 1), 4)])
def test_overall_ratings(compared, day, column):
    homes = [
        {"release": day, "provider_id": f"01{n:04}", "health_inspection_rating": row[0], "staffing_rating": row[1],
         "qm_rating": row[2], "overall_rating": row[column]}
        for n, row in enumerate(OVERALL)
    ]  # fmt: skip
    unrated = {"release": day, "provider_id": "019999", "staffing_rating": 5, "qm_rating": 5}
    found = compared(ratings.SUBJECT, day, fct_provider_releases=[*homes, unrated])
    assert verdicts(found, "overall_rating") == {home["provider_id"]: "equal" for home in homes}


def test_scores_of_cycles(compared):
    home = {"release": RELEASE, "provider_id": ADAMS}
    for cycle, points, revisits, more in (("cycle_1", 577, 2, 289), ("cycle_2", 100, 3, 70), ("cycle_3", 20, 1, 0)):
        home |= {f"{cycle}_deficiency_score": points, f"{cycle}_revisits": revisits, f"{cycle}_revisit_score": more,
                 f"{cycle}_total_score": points + more}  # fmt: skip
    two = {**home, "provider_id": BAKER, "cycle_3_total_score": None, "cycle_1_revisit_score": 288,
           "weighted_health_survey_score": 587.6, "cycle_1_survey_date": date(2022, 9, 29),
           "inspected_over_2_years_ago": "Y"}  # fmt: skip
    home |= {"weighted_health_survey_score": 493, "cycle_1_survey_date": date(2022, 9, 30),
             "inspected_over_2_years_ago": "N"}  # fmt: skip
    found = compared(ratings.SUBJECT, fct_provider_releases=[home, two])
    assert verdicts(found, "weighted_health_survey_score") == {ADAMS: "equal", BAKER: "equal"}
    assert verdicts(found, "cycle_1_revisit_score") == {ADAMS: "equal", BAKER: "mismatch"}
    assert verdicts(found, "cycle_2_revisit_score") == verdicts(found, "cycle_2_total_score")
    assert verdicts(found, "cycle_1_total_score") == {ADAMS: "equal", BAKER: "mismatch"}
    assert verdicts(found, "inspected_over_2_years_ago") == {ADAMS: "equal", BAKER: "equal"}
    since = date(2025, 7, 1)
    row = {"release": since, "provider_id": ADAMS, "cycle_1_total_score": 866, "cycle_2_3_total_score": 32}
    late = compared(ratings.SUBJECT, since, fct_provider_releases=[{**row, "weighted_health_survey_score": 657.5}])
    assert verdicts(late, "weighted_health_survey_score") == {ADAMS: "equal"}


def test_places_in_the_state_earn_the_stars_of_inspections(compared):
    stars = [5, 4, 4, 3, 3, 3, 2, 2, 1, 1]
    homes = [
        {"release": RELEASE, "provider_id": f"01500{n}", "state": "AL", "weighted_health_survey_score": 10 * n,
         "health_inspection_rating": rating, "abuse_icon": "N"}
        for n, rating in enumerate(stars)
    ]  # fmt: skip
    homes[1] |= {"health_inspection_rating": 2, "abuse_icon": "Y"}
    homes[4]["health_inspection_rating"] = 4
    homes[9]["health_inspection_rating"] = 3
    elsewhere = {"release": RELEASE, "provider_id": "025000", "state": "AK", "weighted_health_survey_score": 99,
                 "health_inspection_rating": 3}  # fmt: skip
    found = compared(ratings.SUBJECT, fct_provider_releases=[*homes, elsewhere])
    told = verdicts(found, "health_inspection_rating")
    assert {home: verdict for home, verdict in told.items() if verdict != "equal"} == {
        "015004": "held",
        "015009": "mismatch",
    }
    assert verdicts(found, "health_inspection_rating_with_abuse_icon") == {"015001": "equal"}


# Penalties


def test_penalties_of_the_release_and_of_the_one_before(compared):
    def home(name, fines, dollars, denials):
        return {"release": RELEASE, "provider_id": name, "fines": fines, "total_fine_dollars": dollars,
                "payment_denials": denials, "total_penalties": fines + denials}  # fmt: skip

    def line(name, dollars=None, day=RELEASE):
        return {"release": day, "provider_id": name, "penalty_type": "Fine" if dollars else "Payment Denial",
                "fine_amount": dollars, "nth": 1}  # fmt: skip

    homes = [home(ADAMS, 2, 3000.75, 1), home(BAKER, 0, 0, 0), home(CLARK, 1, 500, 0), home(DAVIS, 4, 0, 0)]
    lines = [line(ADAMS, 1000), line(ADAMS, 2001), line(ADAMS), line(CLARK, 500, date(2024, 9, 1)), line(DAVIS)]
    found = compared(penalties.SUBJECT, fct_provider_releases=homes, fct_penalties=lines)
    assert verdicts(found, "fines") == {ADAMS: "equal", BAKER: "equal", CLARK: "revised release", DAVIS: "mismatch"}
    assert verdicts(found, "total_fine_dollars")[ADAMS] == "rounding"
    assert verdicts(found, "payment_denials") == {
        ADAMS: "equal",
        BAKER: "equal",
        CLARK: "equal",
        DAVIS: "revised release",
    }
    assert set(verdicts(found, "total_penalties_as_sum").values()) == {"equal"}
    none = compared(penalties.SUBJECT, fct_provider_releases=homes, fct_penalties=[line(CLARK, 500, date(2024, 9, 1))])
    assert set(verdicts(none, "fines").values()) == {"input missing"}


# Inspections


def cited(severity, *, standard=True, complaint=False, infection=False, tag="0600", **more):
    return {"release": RELEASE, "provider_id": ADAMS, "inspection_cycle": 1, "deficiency_tag": tag,
            "scope_severity": severity, "standard_deficiency": standard, "complaint_deficiency": complaint,
            "infection_control_deficiency": infection, "nth": 1, **more}  # fmt: skip


CITED = [
    cited("D"),  # 4
    cited("E", complaint=True),  # 8, once
    cited("G", standard=False, complaint=True),  # 20
    cited("D", standard=False, infection=True),  # 4
    cited("J", deficiency_corrected="Past Non-Compliance"),  # 20
    cited("K", under_idr=True),  # 0
    cited("F", tag="0684"),  # 16, or 20 if substandard
    cited("L", inspection_cycle=2),
]


def test_deficiencies_are_counted_once_and_scored(compared):
    home = {"release": RELEASE, "provider_id": ADAMS, "cycle_1_health_deficiencies": 7,
            "cycle_1_standard_deficiencies": 5, "cycle_1_complaint_deficiencies": 2, "cycle_1_deficiency_score": 76,
            "cycle_2_health_deficiencies": 1, "cycle_2_standard_deficiencies": 1, "cycle_2_complaint_deficiencies": 0,
            "cycle_2_deficiency_score": 150}  # fmt: skip
    clean = {"release": RELEASE, "provider_id": BAKER, "cycle_1_health_deficiencies": 0,
             "cycle_1_deficiency_score": 8}  # fmt: skip
    found = compared(surveys.HOMES, fct_provider_releases=[home, clean], fct_health_citations=CITED)
    assert verdicts(found, "cycle_1_health_deficiencies") == {ADAMS: "equal", BAKER: "equal"}
    assert found["cycle_1_deficiency_score", ADAMS].ours == 72
    assert verdicts(found, "cycle_1_deficiency_score") == {ADAMS: "rounding", BAKER: "mismatch"}
    assert {row.verdict for (_, entity), row in found.items() if entity == ADAMS} == {"equal", "rounding"}


def test_survey_summary_counts_standard_inspections(compared):
    row = {"release": RELEASE, "provider_id": ADAMS, "inspection_cycle": 1, "health_deficiencies": 5,
           "fire_deficiencies": 3, **dict.fromkeys((c.name for c in surveys.HEALTH_CATEGORIES), 0)}  # fmt: skip
    row |= {"health_resident_rights": 2, "health_administration": 2}
    found = compared(surveys.SUMMARY, fct_survey_summary=[row], fct_health_citations=CITED)
    assert {rule: row.verdict for (rule, _), row in found.items()} == {
        "summary_1_health_deficiencies": "equal",
        "summary_1_health_deficiencies_as_sum": "mismatch",  # and the categories of fire safety are not told
    }


# Value-based purchasing


def test_purchasing(compared):
    def home(name, rates, scores, rank, multiplier):
        (baseline, performance), (achieved, improved, score) = rates, scores
        figures = {
            ("snfrm", "baseline"): baseline, ("snfrm", "performance"): performance,
            ("snfrm", "achievement_score"): achieved, ("snfrm", "improvement_score"): improved,
            ("programme", "performance_score"): score, ("programme", "ranking"): rank,
            ("programme", "multiplier"): multiplier,
        }  # fmt: skip
        return [
            {"fiscal_year": "FY2024", "provider_id": name, "measure": measure, "component": component, "value": value}
            for (measure, component), value in figures.items()
        ]

    nation = [("snfrm", "achievement_threshold", 0.79271, None, None), ("snfrm", "benchmark", 0.83033, None, None),
              ("programme", "performance_scores", None, 0, 92.53589), ("programme", "multipliers", None, 0.98, 1.02),
              ("programme", "facilities", 4, None, None)]  # fmt: skip
    found = {}
    for subject in (purchasing.HOMES, purchasing.NATION):
        found |= compared(
            subject,
            date(2023, 10, 1),
            fct_snf_vbp=[
                *home(ADAMS, (0.20018, 0.23768), (0, 0, 0), 3, 0.98),
                *home(BAKER, (0.17051, 0.1707), (92.53589, 0, 92.53589), 1, 1.02),
                *home(CLARK, (0.21, 0.2), (22.44684, 20, 22.44684), 2, 1),
                *home(DAVIS, (None, 0.25), (0, None, 0), 3, 0.99),
            ],
            fct_snf_vbp_aggregate=[
                {"fiscal_year": "FY2024", "measure": m, "component": c, "value": v, "low": low, "high": high}
                for m, c, v, low, high in nation
            ],
        )
    # 0.2 is 0.8: 10 x (9 x 0.00729 / 0.03762 + 0.5) = 22.4402; 10 x (10 x 0.01 / 0.04033 - 0.5) = 19.7954
    assert verdicts(found, "vbp_achievement_score") == {
        ADAMS: "equal",
        BAKER: "equal",
        CLARK: "mismatch",
        DAVIS: "equal",
    }
    assert found["vbp_achievement_score", CLARK].ours == pytest.approx(10 * (9 * 0.00729 / 0.03762 + 0.5))
    assert verdicts(found, "vbp_improvement_score") == {ADAMS: "equal", BAKER: "equal", CLARK: "mismatch"}
    assert found["vbp_improvement_score", CLARK].ours == pytest.approx(10 * (10 * 0.01 / 0.04033 - 0.5))
    assert set(verdicts(found, "vbp_performance_score").values()) == {"equal"}
    assert verdicts(found, "vbp_ranking") == dict.fromkeys((ADAMS, BAKER, CLARK, DAVIS), "equal")
    assert {row.verdict for row in found.values() if row.level == "nation"} == {"equal"}
    assert len([row for row in found.values() if row.level == "nation"]) == 5


# All of them


def test_the_mart_has_all_subjects_and_its_summary_counts_verdicts(engine, frame):
    homes = [
        {"release": RELEASE, "provider_id": home, "fines": 1, "payment_denials": 1, "total_penalties": total}
        for home, total in ((ADAMS, 2), (BAKER, 5), (CLARK, 2))
    ]
    frames = [frame(name, homes if name == "fct_provider_releases" else []) for name in TABLES]
    made = mart.reconciliation(*frames, start=RELEASE, end=RELEASE)
    assert made.columns == list(mart.RECONCILIATION.names)
    summary = mart.reconciliation_summary(made, start=RELEASE, end=RELEASE)
    assert summary.columns == list(mart.SUMMARY.table.names)
    rows = {row.rule: row.asDict() for row in summary.collect()}
    assert set(rows) == {"fines", "payment_denials", "total_penalties", "total_penalties_as_sum"}
    told = rows["total_penalties_as_sum"]
    assert (told["n"], told["equal"], told["mismatch"], told["worst"], told["holds"]) == (3, 2, 1, 3.0, False)
    assert told["published"] == "Provider Information: Total Number of Penalties"
    assert (told["formula"], told["may_differ"]) == ("fines + payment denials, as published", 0.0)
    assert (rows["fines"]["input_missing"], rows["fines"]["holds"]) == (3, True)
