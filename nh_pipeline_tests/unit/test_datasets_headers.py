"""Headers of every era are read into the same canonical columns."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re

import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import JOBS
from nh_pipeline.datasets.headers import HeaderError, candidates, canonical_header, names
from nh_pipeline.model.columns import text
from nh_pipeline.model.dataset import fold
from nh_pipeline_tests.support.declared import DATASETS


def cells_of(text):
    return re.split(r"[,\n]+", text.strip())


STAFFING_2024 = cells_of("""
PROVNUM,PROVNAME,CITY,STATE,COUNTY_NAME,COUNTY_FIPS,CY_Qtr,WorkDate,MDScensus
Hrs_RNDON,Hrs_RNDON_emp,Hrs_RNDON_ctr,Hrs_RNadmin,Hrs_RNadmin_emp,Hrs_RNadmin_ctr,Hrs_RN,Hrs_RN_emp,Hrs_RN_ctr
Hrs_LPNadmin,Hrs_LPNadmin_emp,Hrs_LPNadmin_ctr,Hrs_LPN,Hrs_LPN_emp,Hrs_LPN_ctr,Hrs_CNA,Hrs_CNA_emp,Hrs_CNA_ctr
Hrs_NAtrn,Hrs_NAtrn_emp,Hrs_NAtrn_ctr,Hrs_MedAide,Hrs_MedAide_emp,Hrs_MedAide_ctr
""")

# The column list of Nursing Home Compare's download files of 2016 to 2020.
_CYCLES = [
    f"{name.format(n)}"
    for n in (1, 2, 3)
    for name in (
        "cycle_{}_defs", "cycle_{}_nfromdefs", "cycle_{}_nfromcomp", "cycle_{}_defs_score", "CYCLE_{}_SURVEY_DATE",
        "CYCLE_{}_NUMREVIS", "CYCLE_{}_REVISIT_SCORE", "CYCLE_{}_TOTAL_SCORE",
    )
]  # fmt: skip
PROVIDERS_2019 = [
    *cells_of("""
PROVNUM,PROVNAME,ADDRESS,CITY,STATE,ZIP,PHONE,COUNTY_SSA,COUNTY_NAME,OWNERSHIP,BEDCERT,RESTOT,CERTIFICATION,INHOSP
LBN,PARTICIPATION_DATE,CCRC_FACIL,SFF,OLDSURVEY,CHOW_LAST_12MOS,resfamcouncil,sprinkler_status
overall_rating,overall_rating_fn,survey_rating,survey_rating_fn,quality_rating,quality_rating_fn
staffing_rating,staffing_rating_fn,RN_staffing_rating,rn_staffing_rating_fn,STAFFING_FLAG,PT_STAFFING_FLAG
AIDHRD,VOCHRD,RNHRD,TOTLICHRD,TOTHRD,PTHRD,exp_aide,exp_lpn,exp_rn,exp_total,adj_aide,adj_lpn,adj_rn,adj_total
"""),
    *_CYCLES,
    *cells_of("WEIGHTED_ALL_CYCLES_SCORE,incident_cnt,cmplnt_cnt,FINE_CNT,FINE_TOT,PAYDEN_CNT,TOT_PENLTY_CNT,FILEDATE"),
]
CLAIMS_2019 = cells_of("""
PROVNUM,PROVNAME,ADDRESS,CITY,STATE,ZIP,MSR_CD,MSR_DESCR,STAY_TYPE,SCORE_ADJUSTED,SCORE_OBSERVED,SCORE_EXPECTED
SCORE_FN,FIVE_STAR_MSR,MEASURE_PERIOD,FILEDATE
""")
CLAIMS_2021 = cells_of("""
Federal Provider Number,Provider Name,Provider Address,Provider City,Provider State,Provider Zip Code,Measure Code
Measure Description,Resident type,Adjusted Score,Observed Score,Expected Score,Footnote for Score
Used in Quality Measure Five Star Rating,Measure Period,Location,Processing Date
""")


def test_registry_is_consistent():
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        columns = [column.name for column in dataset.columns]
        assert len(columns) == len(set(columns))
        labels = [label for column in dataset.columns for label in {fold(label) for label in column.labels}]
        assert len(labels) == len(set(labels)), f"{name}: a header cell stands for two columns"
        assert set(dataset.told_by) <= set(columns)
        assert set(dataset.told_by) <= set(dataset.required) or dataset.has_tables
        assert (dataset.coverage in ("undated", "fiscal_year")) == (dataset.dated_by is None)
        assert (dataset.coverage == "quarter") == (dataset.day is not None)
        assert {dataset.dated_by, dataset.day} - {None} <= set(dataset.required)
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", column.name) for column in dataset.columns if dataset.has_tables)
        assert all(column.description for column in dataset.columns)


def test_datasets_of_one_header_are_told_apart_by_a_value():
    def spellings(dataset):
        labels = {column.name: {fold(label) for label in column.labels} for column in dataset.columns}
        return [labels[name] for name in dataset.told_by]

    def may_match_as_well(one, other):
        # Columns are known by what the file writes, whatever each dataset calls them.
        return len(one) == len(other) and all(any(mine & theirs for theirs in other) for mine in one)

    alike = [
        (one, other)
        for one, other in itertools.combinations(DATASETS.values(), 2)
        if may_match_as_well(spellings(one), spellings(other)) or may_match_as_well(spellings(other), spellings(one))
    ]
    assert ("health_citations", "fire_safety_citations") in [(one.name, other.name) for one, other in alike]
    for one, other in alike:
        assert one.value, f"{one.name} and {other.name} may have one header, and no value tells them apart"
        assert other.value
        assert (one.value[0], one.columns, one.eras) == (other.value[0], other.columns, other.eras)
        assert one.value[1] != other.value[1]
    for dataset in DATASETS.values():
        column, value = dataset.value or ("", "")
        assert bool(value) == bool(fold(value))
        assert not column or column in dataset.told_by


def test_staffing_header_in_canonical_order():
    header = canonical_header("daily_nurse_staffing", STAFFING_2024)
    assert header.layout == "pbj-2018"
    assert header.columns[:9] == (
        "provider_id", "provider_name", "city", "state", "county_name", "county_fips", "cy_qtr", "work_date", "census",
    )  # fmt: skip
    assert header.columns[9:] == tuple(f"hrs_{job}{part}" for job in JOBS for part in ("", "_emp", "_ctr"))
    assert header.extras == ()
    assert header.absent == ("incomplete",)


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda cell: f"  {cell}\u00a0"])
def test_case_and_blanks_do_not_matter(change):
    cells = [change(cell) for cell in STAFFING_2024]
    cells[0] = "\ufeff" + cells[0]
    assert canonical_header("daily_nurse_staffing", cells) == canonical_header("daily_nurse_staffing", STAFFING_2024)


def of_the_api(label):
    """As the API of CMS's Provider Data Catalog names a column."""
    name = re.sub(r"[^a-z0-9_ ]", "", label.lower()).strip().replace(" ", "_")
    return (
        name if len(name) <= 64 else f"{name[:59]}_{hashlib.md5(label.encode(), usedforsecurity=False).hexdigest()[:4]}"
    )


SPELLINGS = {
    "api": of_the_api,
    "r": lambda label: re.sub(r"^(?=[0-9])", "X", re.sub(r"[^A-Za-z0-9.]", ".", label)),
    "warehouse": lambda label: re.sub(r"\W+", "_", label).strip("_").upper(),
    "postgresql": lambda label: re.sub(r"\W+", "_", label).strip("_").lower()[:63],
    "bigquery": lambda label: re.sub(r"\W", "_", re.sub(r"^(?=[0-9])", "_", label)),
    "camel": lambda label: re.sub(r"\W+", "", label.title()),
    "dashes": lambda label: label.replace("-", "\u2013").replace(" ", "\u2009"),
    "quotes": lambda label: f"\u201c{label}\u201d",
    "double mark": lambda label: f"\ufeff\ufeff{label}\u200b",
    "utf-8 as windows-1252": lambda label: (
        "\ufeff".encode().decode("cp1252") + label.replace("-", "\u2013".encode().decode("cp1252"))
    ),
    "full width": lambda label: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in label),
}


CUT = {"api": 59, "postgresql": 62}
"""How many characters of a long name a tool leaves, at least."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_letters_and_digits_decide(spelling):
    kept = CUT.get(spelling, 1000)
    for dataset in DATASETS.values():
        cells, names_of = zip(
            *((SPELLINGS[spelling](label), c.name) for c in dataset.columns for label in c.labels), strict=True
        )
        for cell, name in zip(cells, names_of, strict=True):
            alike = {other for c, other in zip(cells, names_of, strict=True) if c[:kept] == cell[:kept]}
            assert names(dataset, [cell]) == (None if len(cell) > kept and len(alike) > 1 else name,), cell


def test_a_name_that_was_cut_is_known_if_only_one_begins_so():
    adjusted = "adjusted_weekend_total_nurse_staffing_hours_per_resident_per_day"
    assert names(DATASETS["providers"], [adjusted[:63]]) == ("adjusted_weekend_total_hprd",)
    assert names(DATASETS["providers"], [adjusted[:62], adjusted[:58], "x" * 63]) == (None, None, None)
    one, other = (text(name, "", "Same words at the beginning of a label that is as long as this, part " + n)
                  for name, n in (("a", "first"), ("b", "second")))  # fmt: skip
    both = dataclasses.replace(DATASETS["providers"], columns=(one, other))
    assert names(both, [of_the_api(one.source + " and more")]) == (None,)


def test_2017q2_misprints_the_contract_hours_of_medication_aides():
    cells = [cell.lower() for cell in STAFFING_2024]
    cells[18] = "hrs_lpn_admin"
    cells[27:] = ["hrs_medaide", "hrs_medaide_emp", "hrs_rn_donadmin", "hrs_na_trn", "hrs_natrn_emp", "hrs_natrn_ctr"]
    header = canonical_header("daily_nurse_staffing", cells)
    assert header.layout == "pbj-2017q2"
    assert (header.columns[9], header.columns[29]) == ("hrs_rndon", "hrs_medaide_ctr")
    assert set(header.columns) == set(canonical_header("daily_nurse_staffing", STAFFING_2024).columns)
    cells[9], cells[29] = "hrs_rn_donadmin", "hrs_rndon"
    with pytest.raises(HeaderError, match="'hrs_rn_donadmin', 'hrs_rndon'"):
        canonical_header("daily_nurse_staffing", cells)


def test_staffing_eras():
    cells = [cell.lower() for cell in STAFFING_2024]
    assert canonical_header("daily_nurse_staffing", [*cells, "incomplete"]).layout == "pbj-2021q4"
    cells[18], cells[27] = "hrs_lpn_admin", "hrs_na_trn"
    assert canonical_header("daily_nurse_staffing", cells).layout == "pbj-2017q3"
    cells[9] = "hrs_rn_donadmin"
    assert canonical_header("daily_nurse_staffing", cells).layout == "pbj-2017q1"


def test_missing_required_column_is_named():
    cells = [cell for cell in STAFFING_2024 if cell != "MDScensus"]
    with pytest.raises(HeaderError, match=r"lacks required column census \(as 'MDScensus'\)") as caught:
        canonical_header("daily_nurse_staffing", cells)
    assert caught.value.missing == ("census",)
    assert isinstance(caught.value, ValueError)


def test_duplicate_column_is_named():
    with pytest.raises(HeaderError, match="'STATE', 'state'") as caught:
        canonical_header("daily_nurse_staffing", [*STAFFING_2024, "state"])
    assert caught.value.duplicated == ("state",)


def test_unknown_cells_are_kept_as_extras():
    header = canonical_header("daily_nurse_staffing", ["New Cell", *STAFFING_2024, ""])
    assert header.columns[0] is None
    assert header.columns[-1] is None
    assert header.extras == ("New Cell", "")


def test_providers_of_2019():
    assert [dataset.name for dataset in candidates(PROVIDERS_2019)] == ["providers"]
    header = canonical_header("providers", PROVIDERS_2019)
    assert header.layout == "provnum-2019"
    assert header.extras == ()
    assert None not in header.columns
    at = dict(zip(PROVIDERS_2019, header.columns, strict=True))
    assert at["RESTOT"] == "average_residents_per_day"
    assert at["VOCHRD"] == "reported_lpn_hprd"
    assert at["survey_rating"] == "health_inspection_rating"
    assert at["exp_total"] == "case_mix_total_hprd"
    assert at["cycle_2_defs_score"] == "cycle_2_deficiency_score"
    assert at["FILEDATE"] == "processing_date"


def test_providers_of_2017_have_a_layout_of_their_own():
    cells = [
        "Federal Provider Number", "Provider Name", "Provider State", "Number of Certified Beds",
        "Number of Residents in Certified Beds", "Overall Rating", "Health Inspection Rating", "Staffing Rating",
        "Reported CNA Staffing Hours per Resident per Day", "Expected CNA Staffing Hours per Resident per Day",
        "Cycle 1 Total Number of Health Deficiencies", "Processing Date",
    ]  # fmt: skip
    header = canonical_header("providers", cells)
    assert header.layout == "federal-provider-number-2017"
    assert header.columns[4] == "residents_in_certified_beds"
    assert header.columns[8:11] == ("reported_aide_hprd", "case_mix_aide_hprd", "cycle_1_health_deficiencies")
    assert "average_residents_per_day" in header.absent


def test_two_cycles_together_are_not_the_second_cycle():
    labels = {label: column.name for column in DATASETS["providers"].columns for label in column.labels}
    assert labels["Rating Cycle 2 Total Number of Health Deficiencies"] == "cycle_2_health_deficiencies"
    assert labels["Rating Cycle 2/3 Total Number of Health Deficiencies"] == "cycle_2_3_health_deficiencies"


@pytest.mark.parametrize(
    ("cells", "layout", "absent"),
    [(CLAIMS_2019, "provnum-2019", ("location",)), (CLAIMS_2021, "federal-provider-number", ())],
)
def test_claims_of_each_era(cells, layout, absent):
    assert [dataset.name for dataset in candidates(cells)] == ["medicare_claims"]
    header = canonical_header("medicare_claims", cells)
    assert header.layout == layout
    assert header.absent == absent
    assert header.extras == ()


CCN = "CMS Certification Number (CCN)"
CITATIONS = f"{CCN},Survey Date,Survey Type,Deficiency Tag Number,Tag Version,Scope Severity Code,Processing Date"
OWNERSHIP = f"{CCN},Role played by Owner or Manager in Facility,Owner Type,Owner Name,Processing Date"


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ("PROVNUM,PROVNAME,PNLTY_DATE,PNLTY_TYPE,FINE_AMT,PAYDEN_STRT_DT,PAYDEN_DAYS,FILEDATE", ["penalties"]),
        (f"{CCN},Measure Code,Score,Footnote,Start Date,End Date,Measure Date Range", ["snf_qrp_national"]),
        (f"{CCN},Address Line 1,CMS Region,Measure Code,Score,Start Date,End Date", ["snf_qrp_provider"]),
        (f"{CCN},Address Line 2,CMS Region,Measure Code,Score,Start Date,End Date", ["swing_bed_snf"]),
        ("State,5 Stars,4 Stars,3 Stars,2 Stars,1 Star", ["health_inspection_cutpoints"]),
        (f"{CCN},Survey Date,Type of Survey,Survey Cycle,Processing Date", ["survey_dates"]),
        (CITATIONS, ["health_citations", "fire_safety_citations"]),
        (OWNERSHIP, ["ownership"]),
        (f"{CCN},Measure Code,Four Quarter Average Score,Processing Date", ["mds_quality_measures"]),
        ("a,b,c", []),
    ],
)
def test_candidates(cells, names):
    assert [dataset.name for dataset in candidates(cells.split(","))] == names
