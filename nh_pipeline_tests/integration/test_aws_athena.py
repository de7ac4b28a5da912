"""Athena's wire on moto: requests, states and results are as AWS's; the SQL itself is not run."""

from __future__ import annotations

import datetime as dt
import json
import sys
import urllib.request
from decimal import Decimal

import pyarrow as pa
import pytest

from nh_pipeline.queries.athena import AthenaQueries
from nh_pipeline.queries.open import LakeQueries, QueryError, queries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.aws_server import denied, signed_in

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def athena(aws_server):
    with signed_in(aws_server) as aws:
        aws.client("athena").create_work_group(
            Name="nh", Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{aws.bucket}/athena/"}}
        )
        yield aws


def queue(aws, rows, columns):
    """What the next query answers, with Athena's header row."""
    data = [[name for name, *_ in columns], *rows]
    answer = {
        "rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in data],
        "column_info": [
            {"Name": n, "Type": kind, "Precision": p, "Scale": s} for n, kind, p, s in columns
        ],
    }  # fmt: skip
    body = {"account_id": aws.account, "region": aws.region, "results": [answer]}
    request = urllib.request.Request(  # noqa: S310
        f"{aws.server.url}/moto-api/static/athena/query-results", json.dumps(body).encode(),
        {"authorization": f"Credential={aws.key_id}/20240101/us-west-2/athena/aws4_request",
         "content-type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as told:  # noqa: S310
        assert told.status == 201


COLUMNS = [
    ("ccn", "varchar", 0, 0),
    ("day", "date", 0, 0),
    ("n", "bigint", 19, 0),
    ("hours", "decimal", 11, 2),
    ("hprd", "double", 17, 0),
    ("is_weekend", "boolean", 0, 0),
    ("at", "timestamp", 3, 0),
]


def test_athena_answers_with_types(athena):
    queue(
        athena,
        [
            ["015009", "2024-04-01", "91", "318.25", "3.714229", "false", "2024-04-01 12:30:00.000"],
            [None] * 7,
        ],
        COLUMNS,
    )
    found = AthenaQueries("nh", "test_").query("select * from gold.facility_measures where state = ?", ["O'K"])
    assert found.to_pylist() == [
        {
            "ccn": "015009", "day": dt.date(2024, 4, 1), "n": 91, "hours": Decimal("318.25"), "hprd": 3.714229,
            "is_weekend": False, "at": dt.datetime(2024, 4, 1, 12, 30),  # noqa: DTZ001 (Athena tells no zone)
        },
        dict.fromkeys(found.column_names),
    ]  # fmt: skip
    assert found.schema.field("hours").type == pa.decimal128(11, 2)
    request = athena.made("athena:StartQueryExecution")[-1].params
    assert request["QueryString"] == "SELECT * FROM test_gold.facility_measures WHERE state = ?"
    assert request["ExecutionParameters"] == ["'O''K'"]
    assert request["WorkGroup"] == "nh"


def test_athena_without_rows(athena):
    queue(athena, [], COLUMNS)
    found = AthenaQueries("nh").query("select 1")
    assert (found.num_rows, found.column_names) == (0, [name for name, *_ in COLUMNS])


def test_parameters_are_athenas_literals(athena):
    queue(athena, [], COLUMNS)
    AthenaQueries("nh").query("select ?, ?, ?, ?", [dt.date(2024, 4, 1), Decimal("1.50"), 3, None])
    given = athena.made("athena:StartQueryExecution")[-1].params["ExecutionParameters"]
    assert given == ["CAST('2024-04-01' AS DATE)", "1.50", "3", "NULL"]


def ended(state, reason=None):
    told = {"Status": {"State": state, **({"StateChangeReason": reason} if reason else {})}, "StatementType": "DML"}
    return lambda call: {"QueryExecution": {**told, "QueryExecutionId": call.params["QueryExecutionId"]}}


@pytest.mark.parametrize(
    ("state", "reason", "says"),
    [
        ("CANCELLED", "Bytes scanned limit was exceeded", "would scan more than the workgroup nh allows"),
        ("FAILED", "TABLE_NOT_FOUND: line 1:15: Table 'gold.x' does not exist", "Athena: TABLE_NOT_FOUND"),
        ("CANCELLED", None, "no reason was given (cancelled"),
    ],
)
def test_a_query_that_fails_says_why(athena, monkeypatch, state, reason, says):
    monkeypatch.setitem(athena.handlers, "athena:GetQueryExecution", ended(state, reason))
    stopped = len(athena.made("athena:StopQueryExecution"))
    with pytest.raises(QueryError) as error:
        AthenaQueries("nh").query("select 1")
    assert says in str(error.value)
    assert len(athena.made("athena:StopQueryExecution")) == stopped


def test_a_query_that_takes_too_long_is_stopped(athena, monkeypatch):
    monkeypatch.setitem(athena.handlers, "athena:GetQueryExecution", ended("RUNNING"))
    with pytest.raises(QueryError, match=r"did not finish the query within 0\.5 s, and it was stopped"):
        AthenaQueries("nh", seconds=0.5).query("select 1")
    (started, stopped) = athena.made("athena:StartQueryExecution")[-1], athena.made("athena:StopQueryExecution")[-1]
    assert started.account == stopped.account
    assert stopped.params["QueryExecutionId"] in str(athena.made("athena:GetQueryExecution")[-1].params)


def test_a_query_whose_asker_is_gone_is_stopped(athena, monkeypatch):
    before = len(athena.made("athena:StopQueryExecution"))
    with athena.failing("athena:GetQueryExecution", denied), pytest.raises(Exception, match="AccessDenied"):
        AthenaQueries("nh").query("select 1")
    assert len(athena.made("athena:StopQueryExecution")) == before + 1


def test_one_setting_says_who_answers(athena, tmp_path):
    assert isinstance(queries(Settings(home=str(tmp_path))), LakeQueries)
    chosen = queries(Settings(home=str(tmp_path), athena_workgroup="nh", database_prefix="test_"))
    assert chosen == AthenaQueries("nh", "test_")


def test_without_the_libraries_for_athena(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "nh_pipeline.queries.athena", raising=False)
    with pytest.raises(QueryError, match=r"Athena needs boto3: pip install 'nh-pipeline\[aws\]'"):
        queries(Settings(home=str(tmp_path), athena_workgroup="nh"))
