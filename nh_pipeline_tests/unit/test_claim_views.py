"""Views of claims, on rows that are known: with DuckDB, and once more by way of Athena's dialect."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.marts.clinical.claim_denials import CLAIM_DENIALS
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS
from nh_pipeline.queries.claim_views import (
    CLAIMS_BY_PAYER,
    DENIALS,
    PAYER_MIX,
    TOP_COST_DIAG,
)
from nh_pipeline_tests.support.viewed import asked

_USUAL = {"use": "claim", "status": "active", "currency": "USD", "payer": "Aetna", "payer_category": "Private",
          "is_resubmitted": False, "adjudication": "paid", "diagnosis_category": "Unmapped"}  # fmt: skip


def claim(billed, paid=None, **said):
    """A claim, decided if something was paid; amounts are dollars, or what else ``currency`` says."""
    decided = {} if paid is not None else {"adjudication": "unadjudicated"}
    exact = {"billed_amount": Decimal(billed), "paid_amount": paid if paid is None else Decimal(paid)}
    return _USUAL | exact | decided | said


def diagnosed(code, billed, **said):
    return claim(billed, primary_diagnosis_code=code, primary_diagnosis_system="s", **said)


def test_claims_by_payer():
    rows = [
        claim("100.0050", "60.0040"), claim("50", "0"), claim("25"),  # the last one: nothing is decided yet
        claim("10", adjudication="pending"),
        claim("7", "7", currency="EUR"),
        claim("40", "0", payer="Medicare", payer_category="Medicare", adjudication="denied"),
        claim("1000", "0", is_resubmitted=True),
        claim("1000", use="preauthorization"), claim("1000", status="cancelled"),
        claim("30", payer=None, payer_category="Unmapped"),
    ]  # fmt: skip
    found = {(r["payer"], r["currency"]): r for r in asked(CLAIMS_BY_PAYER, {FCT_CLAIMS: rows})}
    told = ("claims", "adjudicated_claims", "total_billed", "billed_adjudicated", "total_paid")
    assert {key: tuple(row[name] for name in told) for key, row in found.items()} == {
        ("Aetna", "USD"): (4, 2, Decimal("185.01"), Decimal("150.01"), Decimal("60.00")),
        ("Aetna", "EUR"): (1, 1, 7, 7, 7),
        ("Medicare", "USD"): (1, 1, 40, 40, 0),
        (None, "USD"): (1, 0, 30, None, None),
    }
    assert found["Aetna", "USD"]["paid_to_billed"] == pytest.approx(60.004 / 150.005)
    assert (found["Medicare", "USD"]["paid_to_billed"], found[None, "USD"]["paid_to_billed"]) == (0, None)


def test_top_diagnoses_break_ties_by_code_and_keep_what_has_none():
    rows = [diagnosed(f"{n:02}", "100" if n in (4, 5) else n) for n in range(13)]
    rows += [claim("900", "1"), claim("900"), diagnosed("euro", "5", currency="EUR"), diagnosed("02", "98")]
    found = asked(TOP_COST_DIAG, {FCT_CLAIMS: rows})
    ranked = sorted((r for r in found if r["currency"] == "USD"), key=lambda r: r["rank"] or 99)
    assert [(r["rank"], r["diagnosis_code"]) for r in ranked] == [
        (1, "02"), (2, "04"), (3, "05"), (4, "12"), (5, "11"), (6, "10"), (7, "09"), (8, "08"), (9, "07"), (10, "06"),
        (None, None),
    ]  # fmt: skip
    assert (ranked[-1]["diagnosis"], ranked[-1]["claims"], ranked[-1]["total_billed"]) == ("No diagnosis", 2, 1800)
    assert (ranked[-1]["total_paid"], ranked[0]["claims"], ranked[0]["total_paid"]) == (1, 2, None)
    assert [r["rank"] for r in found if r["currency"] == "EUR"] == [1]


def test_denials_and_how_many_were_overturned():
    def denied(overturned, category="coding", currency="USD", payer="Aetna"):
        return {"is_overturned": overturned, "denial_category": category, "denied_amount": Decimal(10),
                "currency": currency, "payer": payer, "payer_category": "Private"}  # fmt: skip

    rows = [denied(True), denied(False), denied(None), denied(None, "untold"), denied(True, currency="EUR")]
    found = {(r["denial_category"], r["currency"]): r for r in asked(DENIALS, {CLAIM_DENIALS: rows})}
    told = ("denied", "denied_amount", "with_outcome", "overturned", "overturn_rate")
    assert {key: tuple(row[name] for name in told) for key, row in found.items()} == {
        ("coding", "USD"): (3, 30, 2, 1, 0.5),
        ("untold", "USD"): (1, 10, 0, 0, None),
        ("coding", "EUR"): (1, 10, 1, 1, 1),
    }


def test_shares_of_a_month_add_up_to_one():
    rows = [
        *(claim("10", billable_start_date=date(2024, 1, day), payer_category=of)
          for day, of in ((1, "Medicare"), (9, "Private"), (31, "Private"))),
        claim("30", created_date=date(2024, 1, 5), payer_category="Self-Pay"),
        claim("30", billable_start_date=date(2024, 2, 1), created_date=date(2024, 1, 5)),
        claim("5", billable_start_date=date(2024, 2, 1), currency="EUR"), claim("0"),
    ]  # fmt: skip
    found = asked(PAYER_MIX, {FCT_CLAIMS: rows})
    months = {(r["month_start"], r["currency"]) for r in found}
    assert months == {(date(2024, 1, 1), "USD"), (date(2024, 2, 1), "USD"), (date(2024, 2, 1), "EUR"), (None, "USD")}
    for month in months:
        mine = [r for r in found if (r["month_start"], r["currency"]) == month]
        assert sum(r["share_of_claims"] for r in mine) == pytest.approx(1)
        assert month[0] is None or sum(r["share_of_billed"] for r in mine) == pytest.approx(1)
    (nothing,) = (r for r in found if r["month_start"] is None)
    assert (nothing["share_of_claims"], nothing["share_of_billed"]) == (1, None)  # nothing was billed: no shares
    shares = {
        r["payer_category"]: (r["claims"], r["share_of_billed"]) for r in found if r["month_start"] == date(2024, 1, 1)
    }
    assert shares == {"Medicare": (1, pytest.approx(1 / 6)), "Private": (2, pytest.approx(1 / 3)), "Self-Pay": (1, 0.5)}
