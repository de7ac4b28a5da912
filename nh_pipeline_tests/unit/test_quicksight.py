"""What QuickSight is asked for, against the model of the service that botocore has, and against the views."""

from __future__ import annotations

import json

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from nh_pipeline.marts import clinical
from nh_pipeline.queries.claim_views import CLAIM_VIEWS
from nh_pipeline.queries.outcome_views import COHORTS, OUTCOME_VIEWS
from nh_pipeline.queries.quicksight import CHARTS, RATES, requests
from nh_pipeline_tests.support.local import Nh

SOURCE = "arn:aws:quicksight:us-east-1:123456789012:datasource/athena"
VIEWS, TABLES = (*CLAIM_VIEWS, *OUTCOME_VIEWS), [mart.table for mart in clinical.MARTS]
OWNER = "arn:aws:quicksight:us-east-1:123456789012:user/default/analyst"


@pytest.fixture(scope="module")
def made():
    return requests(SOURCE, OWNER, views=VIEWS, tables=TABLES, prefix="test_")


def problems(operation, request):
    """What botocore has to say before it would send the request: shapes, and the closed lists it does not look at."""
    shape = get_session().get_service_model("quicksight").operation_model(operation).input_shape
    return [*ParamValidator().validate(request, shape).generate_report().splitlines(), *_unlisted(request, shape)]


def _unlisted(value, shape):
    if shape.type_name == "structure":
        return [bad for name, inner in value.items() for bad in _unlisted(inner, shape.members[name])]
    if shape.type_name == "list":
        return [bad for inner in value for bad in _unlisted(inner, shape.member)]
    if shape.type_name == "map":
        return [bad for inner in value.values() for bad in _unlisted(inner, shape.value)]
    listed = getattr(shape, "enum", None)
    return [f"{value} is none of {listed}"] if listed and value not in listed else []


def test_requests_are_valid_by_the_services_model(made):
    assert [bad for request in made["data_sets"] for bad in problems("CreateDataSet", request)] == []
    assert problems("CreateAnalysis", made["analysis"]) == []


def test_the_check_would_notice(made):
    wrong = made["analysis"] | {"Definition": {"Sheets": [{"Name": "no id"}]}}
    assert any("SheetId" in told for told in problems("CreateAnalysis", wrong))
    unknown = made["data_sets"][0] | {"ImportMode": "FAST"}
    assert any("FAST" in told for told in problems("CreateDataSet", unknown))


def test_data_sets_are_the_views(made):
    tables = [s["PhysicalTableMap"]["view"]["RelationalTable"] for s in made["data_sets"]]
    assert [f"{t['Schema']}.{t['Name']}" for t in tables] == [
        f"test_{view.name}" for view in VIEWS if view is not COHORTS
    ]
    by_payer = {c["Name"]: c["Type"] for c in tables[0]["InputColumns"]}
    assert by_payer == {
        "payer_category": "STRING", "payer": "STRING", "currency": "STRING", "claims": "INTEGER",
        "adjudicated_claims": "INTEGER", "total_billed": "DECIMAL", "billed_adjudicated": "DECIMAL",
        "total_paid": "DECIMAL", "paid_to_billed": "DECIMAL",
    }  # fmt: skip
    assert {"Name": "month_start", "Type": "DATETIME"} in tables[3]["InputColumns"]


def test_charts_show_columns_that_are_there_and_never_add_two_currencies(made):
    columns = {
        t["Name"]: {c["Name"] for c in t["InputColumns"]}
        for s in made["data_sets"]
        for t in [s["PhysicalTableMap"]["view"]["RelationalTable"]]
    }
    for name, (view, _) in RATES.items():
        columns[view].add(name)
    definition = made["analysis"]["Definition"]
    visuals = [visual for sheet in definition["Sheets"] for visual in sheet["Visuals"]]
    assert len(visuals) == len(CHARTS)
    for visual in visuals:
        ((kind, inner),) = visual.items()
        wells = inner["ChartConfiguration"]["FieldWells"][f"{kind.removesuffix('Visual')}AggregatedFieldWells"]
        fields = [f for group in wells.values() for field in group for f in field.values()]
        assert all(f["Column"]["ColumnName"] in columns[f["Column"]["DataSetIdentifier"]] for f in fields)
        assert len({f["FieldId"] for f in fields}) == len(fields)
        apart = {f["CategoricalDimensionField"]["Column"]["ColumnName"] for f in wells.get("SmallMultiples", ())}
        assert apart == {"currency"} & columns[fields[0]["Column"]["DataSetIdentifier"]]
    ids = {declared["DataSetArn"].rpartition("/")[2] for declared in definition["DataSetIdentifierDeclarations"]}
    assert ids == {s["DataSetId"] for s in made["data_sets"]}


@pytest.mark.parametrize("wrong", ["", "athena", "arn:aws:s3:::bucket", SOURCE.replace("datasource", "dataset")])
def test_a_data_source_is_one_of_quicksight(wrong):
    with pytest.raises(ValueError, match="expected arn:aws:quicksight"):
        requests(wrong, OWNER, views=VIEWS, tables=TABLES)


def test_the_command_prints_them(tmp_path, monkeypatch):
    nh = Nh(tmp_path)
    asked = ("quicksight", "--data-source", SOURCE, "--owner", OWNER)
    monkeypatch.setenv("NH_DATABASE_PREFIX", "test_")
    assert json.loads(nh(*asked).stdout) == requests(SOURCE, OWNER, views=VIEWS, tables=TABLES, prefix="test_")
    assert "expected arn:aws:quicksight" in " ".join(nh(*asked[:2], "athena", *asked[3:], exits=2).stderr.split())
    monkeypatch.setenv("NH_DOMAINS", "cms")
    assert "the clinical domain is not selected" in " ".join(nh(*asked, exits=2).stderr.split())
