"""Views and domains: what reads protected tables has a database of its own, and is known only where it is served."""

from __future__ import annotations

import pytest

from nh_pipeline.domains import domain_of
from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries import views
from nh_pipeline.queries.open import LakeQueries, QueryError
from nh_pipeline.queries.view import CLINICAL_SCHEMA, DATABASES, SCHEMA, View, selected_databases
from nh_pipeline.queries.views import VIEWS, ddl, selected_views, translated
from nh_pipeline.tables import tables

PROTECTED = View(f"{CLINICAL_SCHEMA}.made_up", "Made up", "select count(*) as n from clinical_gold.data_quality")
OF_BOTH = View(
    f"{CLINICAL_SCHEMA}.of_both",
    "Made up",
    f"select m.n, q.found from {PROTECTED.name} as m cross join gold.data_quality as q",
)
PUBLIC = VIEWS[0]


def protected(view):
    return {name for name in view.reads if domain_of(name.partition(".")[0]) == "clinical"}


def test_views_of_what_is_protected_are_apart():
    assert {v.schema for v in VIEWS} <= {SCHEMA, CLINICAL_SCHEMA}
    assert [v.name for v in VIEWS if v.schema == SCHEMA and protected(v)] == []
    assert protected(OF_BOTH) == {PROTECTED.name}


def test_a_view_says_what_it_reads():
    assert PUBLIC.reads == {"gold.facility_measures", "silver.dim_date"}
    assert OF_BOTH.reads == {PROTECTED.name, "gold.data_quality"}
    assert View("bi.x", "", "select p.clinical_gold from gold.peers as p").reads == {"gold.peers"}
    assert selected_views() == VIEWS


def test_every_database_may_get_a_prefix():
    assert {t.database for t in tables()} | {v.schema for v in VIEWS} <= set(DATABASES)


@pytest.mark.parametrize(
    ("domains", "databases", "served"),
    [
        ("", DATABASES, (PUBLIC, PROTECTED, OF_BOTH)),
        ("cms", DATABASES[:4], (PUBLIC,)),
        ("clinical", DATABASES[4:8], (PROTECTED,)),
    ],
)
def test_a_process_knows_what_it_serves(monkeypatch, tmp_path, domains, databases, served):
    monkeypatch.setattr(views, "VIEWS", (PUBLIC, PROTECTED, OF_BOTH))
    monkeypatch.setenv("NH_DOMAINS", domains)
    assert selected_databases() == databases
    assert selected_views() == served
    source = LakeQueries(Lake(str(tmp_path)))
    for view in (PUBLIC, PROTECTED, OF_BOTH):
        if view in served:
            assert source.query(f"select count(*) as n from {view.name}").num_rows == 1
        else:
            with pytest.raises(QueryError, match="does not exist"):
                source.query(f"select * from {view.name}")


def test_statements_name_the_databases_of_their_domain():
    sql = translated(OF_BOTH.statement, "athena", prefix="test_")
    for name in ("test_clinical_bi.of_both", "test_clinical_bi.made_up", "test_gold.data_quality"):
        assert name in sql
    assert sql.count("test_") == 3
    made = ddl("duckdb", views=[PUBLIC, PROTECTED, OF_BOTH])
    assert made.startswith("create schema if not exists bi;\n\ncreate schema if not exists clinical_bi;\n\n")
    assert "create schema if not exists bi;" not in ddl("duckdb", views=[PROTECTED])
