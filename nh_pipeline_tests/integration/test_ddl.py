"""Views: on a lake of known rows, with DuckDB; and as text for Athena."""

from __future__ import annotations

import datetime as dt
import re
import sys
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from nh_pipeline.marts import clinical
from nh_pipeline.marts.facility_measures import HPRD
from nh_pipeline.queries import views
from nh_pipeline.queries.open import LakeQueries, QueryError
from nh_pipeline.queries.view import SCHEMA
from nh_pipeline.queries.views import ENGINES, VIEWS, MissingExtraError, ddl, translated
from nh_pipeline.sample import Deliveries
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration

PUBLIC = [view for view in VIEWS if view.schema == SCHEMA]
"""Views of what CMS publishes: the clinical ones have tests of their own."""

PLAN = Deliveries(24, ("2024Q1", "2024Q3"), releases=3, quirks=True, days=20)


@pytest.fixture(scope="module")
def lake(engine, tmp_path_factory):
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    drop = tmp_path_factory.mktemp("drop")
    PLAN.write(drop)
    chain.land(workspace, drop)
    chain.whole(workspace)
    return workspace.lake


@pytest.fixture(scope="module")
def source(lake):
    return LakeQueries(lake)


@pytest.fixture(scope="module")
def ask(source):
    """Rows of a query, as dictionaries."""
    return lambda sql, *parameters: source.query(sql, parameters).to_pylist()


@pytest.fixture(scope="module")
def gold(lake):
    """Gold's rows, read without SQL."""
    return chain.rows(lake, chain.FACILITY_MEASURES)


# On DuckDB, for real


@pytest.mark.parametrize("view", PUBLIC, ids=lambda v: v.name)
def test_every_view_has_rows_and_a_grain(view, ask):
    grains = {
        "facility_day": "ccn, work_date",
        "facility_month": "ccn, month_start",
        "facility_quarter": "ccn, cy_qtr",
        "chain_month": "chain_id, month_start",
        "state_month": "state, month_start",
        "days_without_rn": "ccn, work_date",
        "current_providers": "ccn",
        "claims_quarter": "ccn, cy_qtr, measure_code",
    }
    grain = grains[view.name.removeprefix(f"{SCHEMA}.")]
    (found,) = ask(f"select count(*) as n, count(distinct ({grain})) as keys from {view.name}")
    assert found["n"] == found["keys"] > 0


def test_a_day_is_golds_day_with_its_calendar(ask, gold):
    rows = ask("select * from bi.facility_day order by ccn, work_date")
    expected = sorted(gold, key=lambda r: (r["provider_id"], r["work_date"]))
    assert len(rows) == len(expected) == 24 * 40
    for row, known in zip(rows, expected, strict=True):
        assert (row["ccn"], row["facility"], row["residents"]) == (
            known["provider_id"], known["provider_name"], known["census"],
        )  # fmt: skip
        assert row["hprd_total"] == known["hprd_total"]
        day = row["work_date"]
        assert (row["month_start"], row["is_weekend"]) == (day.replace(day=1), day.weekday() >= 5)


def test_a_month_is_sums_and_ratios_of_sums(ask, gold):
    months = {(r["ccn"], r["month_start"]): r for r in ask("select * from bi.facility_month")}
    known = {}
    for row in gold:
        known.setdefault((row["provider_id"], row["work_date"].replace(day=1)), []).append(row)
    assert set(months) == set(known)
    for key, rows in known.items():
        month, counted = months[key], [r for r in rows if r["census"] > 0]
        residents = sum(r["census"] for r in counted)
        assert month["days_reported"] == len(rows)
        assert month["total_hours"] == sum(r["total_hours"] for r in rows)
        for hprd, hours in HPRD.items():
            assert month[hprd] == (float(sum(r[hours] for r in counted)) / residents if residents else None)
        weekend = [r for r in counted if r["work_date"].weekday() >= 5]
        days = sum(r["census"] for r in weekend)
        assert month["hprd_total_weekend"] == (float(sum(r["total_hours"] for r in weekend)) / days if days else None)
        assert month["days_without_rn"] == sum(r["rn_hours"] == 0 for r in counted)
        assert month["days_zero_census"] == len(rows) - len(counted)
        last = max(rows, key=lambda r: (r["provider_valid_from"] or dt.date.min, r["work_date"]))
        assert month["facility"] == last["provider_name"]
        assert month["overall_rating"] == last["overall_rating"]


def test_the_quirks_are_seen(ask):
    """Or the test above would say little: there are days without residents, without hours, unknown homes."""
    (found,) = ask("""select sum(days_zero_census) as a, sum(days_missing_hours) as b, count(*) - count(facility) as c,
                      sum(days_without_rn) as d from bi.facility_month""")
    assert all(found.values()), found


def test_roll_ups_agree_with_each_other(ask):
    sums = "sum(resident_days) as days, sum(total_hours) as hours, sum(days_below_8_rn_hours) as low"
    (facilities,) = ask(f"select {sums} from bi.facility_month")
    assert ask(f"select {sums} from bi.facility_quarter") == [facilities]
    assert ask(f"select {sums} from bi.state_month") == [facilities]
    (chained,) = ask(
        "select sum(residents) as n, sum(total_hours) as h from bi.facility_day where chain_id is not null"
    )
    assert ask("select sum(resident_days) as n, sum(total_hours) as h from bi.chain_month") == [chained]


def test_claims_are_those_valid_at_the_end_of_the_quarter(ask, lake):
    found = ask("select * from bi.claims_quarter")
    claims = chain.rows(lake, chain.DIM_CLAIMS)
    quarters = {(r["ccn"], r["cy_qtr"]): r for r in ask("select * from bi.facility_quarter")}
    expected = set()
    for (ccn, quarter), row in quarters.items():
        for code in ("521", "522", "551", "552"):
            versions = [c for c in claims if (c["provider_id"], c["measure_code"]) == (ccn, code)]
            valid = [c for c in versions if c["valid_from"] <= row["last_day"] < (c["valid_to"] or dt.date.max)]
            first = min(versions, key=lambda c: c["valid_from"], default=None)
            if valid:
                expected.add((ccn, quarter, code, valid[0]["valid_from"], "as_of"))
            elif first and row["last_day"] < first["valid_from"]:
                expected.add((ccn, quarter, code, first["valid_from"], "earliest"))
    keys = ("ccn", "cy_qtr", "measure_code", "score_valid_from", "claims_match")
    assert {tuple(r[k] for k in keys) for r in found} == expected
    assert {key[-1] for key in expected} == {"as_of", "earliest"}
    assert {r["measure"].rpartition("_")[2] for r in found} <= {"521", "522", "551", "552"}


def test_current_providers_are_those_of_the_latest_release(ask, lake):
    current = {r["provider_id"] for r in chain.rows(lake, chain.DIM_PROVIDERS) if r["is_current"]}
    assert {r["ccn"] for r in ask("select ccn from bi.current_providers")} == current
    assert current


def test_an_empty_lake_has_the_views_too(tmp_path):
    assert Nh(tmp_path).rows("select count(*) as n from bi.chain_month") == [{"n": 0}]


def test_parameters_are_bound(ask):
    (found,) = ask("select ? as text, ? as day, ? as exact", "it's", dt.date(2024, 4, 1), Decimal("1.50"))
    assert found == {"text": "it's", "day": dt.date(2024, 4, 1), "exact": Decimal("1.50")}
    with pytest.raises(QueryError, match="nowhere does not exist"):
        ask("select * from gold.nowhere")


# As text


@pytest.mark.parametrize("dialect", ENGINES)
def test_the_statements_are_known_to_their_dialect(dialect):
    statements = [s for s in sqlglot.parse(ddl(dialect), read=dialect) if s is not None]
    made = [s for s in statements if s.args["kind"] == "VIEW"]
    assert [s.this.sql(dialect=dialect) for s in made] == [v.name for v in VIEWS]
    assert not [s for s in made if s.find(exp.Command, exp.Anonymous)]  # all of it is known to the dialect
    known = {c.name for c in tables()} | {m.table.name for m in clinical.MARTS} | {v.name for v in VIEWS}
    for statement in made:
        ctes = {c.alias for c in statement.find_all(exp.CTE)}
        used = {t.sql(dialect=dialect) for t in statement.expression.find_all(exp.Table) if t.name not in ctes}
        assert {u.split(" ")[0] for u in used} <= known


@pytest.mark.at_length
@pytest.mark.parametrize("dialect", ENGINES)
def test_an_engines_statements_give_duckdbs_rows(dialect, source):
    """Read back from the engine's dialect, they are run: nothing was lost on the way."""
    for view in PUBLIC:
        back = sqlglot.transpile(translated(view.query, dialect), read=dialect, write="duckdb")[0]
        # To ten digits: sums of doubles depend on the order of their rows.
        direct, again = (source.query(f"select * from ({q}) order by all") for q in (view.query, back))
        assert direct.num_rows == again.num_rows
        assert direct.column_names == again.column_names
        for name in direct.column_names:
            if not pa.types.is_floating(direct.schema.field(name).type):
                assert direct[name].to_pylist() == again[name].to_pylist(), (view.name, name)
            else:
                assert direct[name].to_pylist() == pytest.approx(again[name].to_pylist(), nan_ok=True), name


def test_names_get_their_prefix_and_nothing_else_does():
    sql = "with gold as (select 1 as gold) select g.gold, 'gold.x' as t from gold as g "
    sql += "join gold.facility_measures m on true"
    assert translated(sql, "athena", prefix="test_").replace('"', "") == (
        "WITH gold AS (SELECT 1 AS gold) SELECT g.gold, 'gold.x' AS t FROM gold AS g "
        "JOIN test_gold.facility_measures AS m ON TRUE"
    )
    with pytest.raises(ValueError, match="not SQL"):
        translated("select from where", "athena")


def test_the_command_prints_them(tmp_path, monkeypatch):
    nh = Nh(tmp_path)
    assert nh("ddl", "--engine", "duckdb").stdout == ddl("duckdb", views=views.selected_views())
    monkeypatch.setenv("NH_DATABASE_PREFIX", "test_")
    one = nh("ddl", "--view", "facility_day").stdout
    assert one.count("CREATE OR REPLACE VIEW") == 1
    assert "test_bi.facility_day" in one
    assert "test_silver.dim_date" in one
    told = " ".join(nh("ddl", "--engine", "oracle", exits=2).stderr.split())
    assert "expected athena, duckdb, postgres, redshift or snowflake" in told
    told = " ".join(nh("ddl", "--view", "nowhere", exits=2).stderr.split())
    assert "no view nowhere; there are bi.facility_day" in told


ROLE = "arn:aws:iam::123456789012:role/reader"
UNKNOWN = {
    "redshift": ["create external schema"],
    "snowflake": ["create external volume", "create catalog integration"],
}
"""Statements that sqlglot has no notion of."""


@pytest.mark.parametrize("dialect", UNKNOWN)
def test_every_table_of_the_lake_can_be_read_in_place(dialect, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("NH_DATABASE_PREFIX", "test_")
    text = Nh("s3://bucket/lakes/it's")("ddl", "--engine", dialect, "--role", ROLE).stdout
    found = [s for s in sqlglot.parse(text, dialect=dialect) if s is not None]
    others = [s for s in found if isinstance(s, exp.Command)]
    assert {next((u for u in UNKNOWN[dialect] if s.sql().lower().startswith(u)), s.sql()) for s in others} == {
        *UNKNOWN[dialect]
    }
    assert not [s for s in found if s not in others and s.find(exp.Command, exp.Anonymous)]
    databases = {f"test_{table.database}" for table in tables()}
    if dialect == "redshift":
        assert {re.search(r"from data catalog database '(\w+)'", s.sql())[1] for s in others} == databases
    else:
        made = {s.this.sql() for s in found if s.args.get("kind") == "TABLE"}
        assert made == {f"test_{table.name}" for table in tables()}
        assert "'s3://bucket/lakes/it''s/'" in others[0].sql(dialect=dialect)
    assert ROLE in others[0].sql(dialect=dialect)
    assert [s.this.sql() for s in found if s.args.get("kind") == "VIEW"] == [
        f"test_{view.name}" for view in views.selected_views()
    ]


def test_what_cannot_be_read_in_place(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    told = Nh(tmp_path)("ddl", "--engine", "redshift", "--role", ROLE, exits=2).stderr
    assert "other engines read a lake on S3" in " ".join(told.split())
    told = Nh("s3://bucket/lake")("ddl", "--engine", "snowflake", exits=2).stderr
    assert "expected arn:aws:iam::ACCOUNT:role/ROLE" in " ".join(told.split())
    assert Nh(tmp_path)("ddl", "--engine", "redshift", "--view", "facility_day").stdout.endswith("SCHEMA BINDING;\n")


def test_without_sqlglot(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nh-pipeline\[aws\]'"):
        ddl("athena")
    assert views.VIEWS[0].statement  # DuckDB needs none
