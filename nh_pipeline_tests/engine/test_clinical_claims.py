"""Claims and what became of them: every case is a patient of its own, and all are computed at once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest

from nh_pipeline.datasets.clinical.care import ICD_10, SNOMED
from nh_pipeline.datasets.clinical.reference.denials import NON_PAYMENT, PROCESSING
from nh_pipeline.marts.clinical import claim_denials, dim_payers, fct_adjudications, fct_claim_lines, fct_claims
from nh_pipeline.pipeline.gate import gate
from nh_pipeline_tests.support.billing import CARC, Billing

pytestmark = pytest.mark.integration

MARTS = (dim_payers.MART, fct_adjudications.MART, fct_claims.MART, fct_claim_lines.MART, claim_denials.MART)
TWO = (("60", {}), ("40", {}))
BLUE_BUTTON = "https://bluebutton.cms.gov/resources/variables/"


def decisions(b: Billing) -> None:
    """C1 to C9, and what else payers decide."""
    b.claim("c1", "C1")
    b.claim("c2", "C2")
    b.eob("c2", "E2", "0", of="C2")
    b.claim("c3", "C3", lines=TWO)
    one_of_two = (("1", "denialreason", None, "197"), ("1", "submitted", "60", None), ("2", "benefit", "30", None))
    b.eob("c3", "E3", of="C3", lines=TWO, decided=one_of_two)
    b.claim("c4", "C4")
    b.eob("c4", "E4", "0", of="C4", decided=[(None, "denialreason", None, "CO-29")])
    b.eob("c4", "E4", "80", of="C4", version=2)
    b.claim("c5", "C5")
    for name, paid, month in (("E5a", "100", "02"), ("E5z", "-100", "03"), ("E5b", "70", "04")):
        b.eob("c5", name, paid, of="C5", created=f"2024-{month}-01")
    b.claim("c6", "C6")
    b.eob("c6", "E6", "120", of="C6")
    b.claim("c8", "C8", total_currency="EUR")
    b.eob("c8", "E8", "90", of="C8", payment_currency="EUR")
    b.claim("c8", "C8 dollars", total_currency="EUR")
    b.eob("c8", "E8 dollars", "90", of="C8 dollars", total_deductible="5")
    b.eob("c9", "E9", "50", of="C9", total_submitted="100", insurer_display="Medicare")
    b.claim("reversed", "Reversed")
    b.eob("reversed", "ER1", "100", of="Reversed", created="2024-02-01T10:00:00Z")
    b.eob("reversed", "ER2", "-100", of="Reversed", created="2024-02-01T11:00:00Z")
    b.claim("twin", "Twin")
    b.eob("twin", "ET2", "-100", of="Twin")
    b.eob("twin", "ET1", "60", of="Twin")
    b.claim("alone", "unused", status="entered-in-error")
    b.eob("alone", "Alone", "0.00005", total_submitted="112.41600000000001", lines=[("112.41600000000001", {})])
    b.claim("rounded", "Rounded", billed="140.52", lines=[("140.52", {})])
    line = (("1", f"{BLUE_BUTTON}line_prvdr_pmt_amt", "112.41600000000001", None),
            ("1", f"{BLUE_BUTTON}line_coinsrnc_amt", "28.104000000000003", None),
            ("1", f"{BLUE_BUTTON}line_bene_ptb_ddctbl_amt", "0", None),
            ("1", f"{BLUE_BUTTON}line_alowd_chrg_amt", "1.4052E2", None))  # fmt: skip
    b.eob("rounded", "ERound", of="Rounded", lines=[("140.52", {})], decided=line)
    # [synthetichealth/synthea#1648] numbers of lines that are not unique
    b.claim("twice", "Twice", lines=[("10", {"sequence": "1"}), ("15", {"sequence": "1"})])
    b.claim("revised", "Revised")
    b.claim("revised", "Revised", version=2, billed="90")
    for patient in ("left", "right"):  # [synthetichealth/synthea#1545]
        b.claim(patient, "Shared")
        b.add(
            "id_conflicts", patient, resource_type="Claim", resource_id="Shared", delivery_id="d1", reason="collision"
        )
    b.claim("waits", "Waits")
    b.eob("waits", "EW", of="Waits", outcome="queued")
    b.claim("cancelled", "Cancelled")
    b.eob("cancelled", "EC", "75", of="Cancelled", status="active")
    b.eob("cancelled", "EC", "75", of="Cancelled", status="cancelled", version=2)
    b.claim("wrong", "Wrong")
    b.eob("wrong", "EX", "75", of="Wrong", status="entered-in-error")
    b.claim("again", "Again")
    for version in (1, 2, 3):  # three exports of the same
        b.eob("again", "EA", "75", of="Again", version=version, content_md5="same")


def denials(b: Billing) -> None:
    """How a denial is said, and how it ends."""
    b.claim("error", "Error")
    b.eob("error", "D1", of="Error", outcome="error")
    b.claim("medicare", "Medicare")
    b.eob("medicare", "D2", "0", of="Medicare", non_payment_reason="B")
    b.claim("asked", "Asked")
    b.eob("asked", "D3", "0", of="Asked", non_payment_reason="P")
    b.claim("indicated", "Indicated", lines=TWO)
    b.eob(
        "indicated",
        "D4",
        "0",
        of="Indicated",
        lines=[("60", {"processing_code": "N"}), ("40", {"processing_code": "A"})],
    )
    b.claim("uncovered", "Uncovered", lines=TWO)
    uncovered = [(n, "noncovered", net, "96") for n, net in (("1", "60"), ("2", "40"))]
    b.eob("uncovered", "D5", "0", of="Uncovered", lines=TWO, decided=uncovered)
    b.claim("partly", "Partly", lines=TWO)
    b.eob("partly", "D6", "30", of="Partly", lines=TWO, decided=[("1", "denialreason", None, "18")])
    b.eob("partly", "D6", "90", of="Partly", lines=TWO, version=2)
    b.claim("first", "First")
    b.eob("first", "D7", "0", of="First", decided=[(None, "denialreason", None, "16")])
    b.claim("first", "Second", related_claim="Claim/First")
    b.eob("first", "D8", "95", of="Second")
    b.claim("self", "Itself", related_claim="Claim/Itself")
    b.eob("self", "DI", "0", of="Itself", outcome="error")
    b.claim("pending", "Pending")
    b.eob("pending", "D9", "0", of="Pending", outcome="error")
    b.eob("pending", "D9", of="Pending", outcome="queued", version=2)


def parties(b: Billing) -> None:
    """Who bills whom, for what."""
    b.add("organization", None, resource_id="aetna", name="Aetna Health Inc.")
    b.add("coverage", "insured", resource_id="card", payor="Organization/aetna", type_text="HMO")
    b.add("coverage", "selfpayer", resource_id="own", payor="Patient/selfpayer")
    b.add("directory", None, resource_type="Organization", system="", value="7", n_candidates=1, resource_id="hospital",
          lookup="Organization?identifier=|7")  # fmt: skip
    b.add("fct_conditions", "insured", condition_id="mi", code_system=SNOMED, code_code="22298006", code_display="MI")
    lines = [("50", {"encounter": "Encounter/late", "serviced_start": "2024-01-05"}),
             ("50", {"encounter": "Encounter/early", "serviced_start": "2024-01-04T23:30:00-05:00"})]  # fmt: skip
    b.claim("insured", "Insured", coverage="Coverage/card", provider="urn:uuid/hospital", lines=lines,
            diagnosis_condition="Condition/mi", billable_start="2024-01-04T23:30:00-05:00")  # fmt: skip
    b.claim("selfpayer", "Self", coverage="Coverage/own", provider="Practitioner?identifier=npi|1",
            diagnosis_system=ICD_10, diagnosis_code="I50.9", type_code="weird", billable_start="2024-02")  # fmt: skip
    b.claim("nobody", "Nobody", coverage_display=None, provider="Practitioner/dr", billable_start="2024-02-30",
            diagnosis_system=SNOMED, diagnosis_code="1")  # fmt: skip
    b.claim("insurer", "Insurer", coverage_display=None)
    b.eob("insurer", "I1", "10", of="Insurer", insurer_display="Molina Medicaid of Ohio")
    b.claim("strange", "Strange", coverage_display="Zyx Assurance", provider="Organization?identifier=|7")


@pytest.fixture(scope="module")
def made(engine):
    """Of every mart its rows by key; each passes its gate."""
    b = Billing()
    for add in (decisions, denials, parties):
        add(b)
    frames, found = b.built(engine, MARTS), SimpleNamespace()
    for mart in MARTS:
        rows = [row.asDict() for row in frames[mart.name].collect()]
        failed = [result for result in gate(mart.table, frames[mart.name], rows=len(rows)) if not result.passed]
        assert [result for result in failed if result.blocking] == []
        key = mart.grain[0] if len(mart.grain) == 1 else None
        by = {row[key] if key else tuple(row[name] for name in mart.grain): row for row in rows}
        setattr(found, mart.name, by)
    return found


DECIDED = {
    "C1": ("unadjudicated", None, None, None, None),  # unknown, not zero
    "C2": ("zero_paid", "0", "payment", "0", None),  # is not denied
    "C3": ("partly_denied", "30", "lines", "60", False),
    "C4": ("paid", "80", "payment", "0", True),
    "C5": ("paid", "70", "payment", "0", None),
    "C6": ("paid", "120", "payment", "0", None),
    "C8": ("paid", "90", "payment", "0", None),
    "C8 dollars": ("paid", None, "payment", None, None),  # not in the claim's currency
    "C9": ("paid", "50", "payment", "0", None),
    "Reversed": ("reversed", "0", "payment", "0", None),
    "Twin": ("paid", "60", "payment", "0", None),  # of one moment: what takes back comes first
    "eob:Alone": ("paid", "0.0001", "payment", "0", None),
    "Rounded": ("paid", "112.4160", "lines", "0", None),
    "Waits": ("pending", None, None, "0", None),
    "Cancelled": ("unadjudicated", None, None, None, None),
    "Wrong": ("unadjudicated", None, None, None, None),
    "Again": ("paid", "75", "payment", "0", None),
    "Error": ("denied", None, None, "100", False),
    "Medicare": ("denied", "0", "payment", "100", False),
    "Asked": ("zero_paid", "0", "payment", "0", None),  # that payment is requested is no denial
    "Indicated": ("partly_denied", "0", "payment", "60", False),
    "Uncovered": ("denied", "0", "payment", "100", False),
    "Partly": ("paid", "90", "payment", "0", True),
    "First": ("denied", "0", "payment", "100", True),
    "Second": ("paid", "95", "payment", "0", None),
    "Itself": ("denied", "0", "payment", "100", False),  # that a claim follows itself says nothing
    "Pending": ("pending", None, None, "0", None),  # nobody knows how it ends
}


@pytest.mark.parametrize("claim", DECIDED)
def test_what_became_of_a_claim(made, claim):
    row = made.fct_claims[claim]
    adjudication, paid, source, denied, overturned = DECIDED[claim]
    amounts = (paid and Decimal(paid), source, denied and Decimal(denied))
    assert (row["paid_amount"], row["paid_source"], row["denied_amount"]) == amounts
    assert (row["adjudication"], row["is_overturned"]) == (adjudication, overturned)


def test_claims_are_one_row_each(made):
    """Neither decisions, nor lines, nor two encounters multiply them; what was entered in error is none."""
    claims = {"Insured", "Self", "Nobody", "Insurer", "Strange", "Twice", "Revised", *DECIDED}
    assert set(made.fct_claims) == claims
    assert (made.fct_claims["Revised"]["billed_amount"], made.fct_claims["Revised"]["n_versions"]) == (90, 2)
    assert made.fct_claims["C5"]["n_eobs"] == 3
    assert made.fct_claims["C5"]["eob_id"] == "E5b"
    insured = made.fct_claims["Insured"]  # [OHDSI/dbt-synthea#111] a claim's amount is not one of each of its lines
    assert (insured["n_encounters"], insured["n_lines"], insured["billed_amount"]) == (2, 2, 100)


def test_cash_flow(made):
    """Each decision moves the difference to its last version: a cancelled one takes its payment back."""
    flow = {}
    for row in made.fct_adjudications.values():
        flow.setdefault(row["claim_id"], []).append(row["paid_change"])
    assert sorted(flow["C5"]) == [-100, 70, 100]
    assert flow["C4"] == [0, 80]
    assert flow["Cancelled"] == [75, -75]
    assert flow["Again"] == [75]
    assert "Wrong" not in flow


def test_a_decision_before_its_claim_is_a_claim_that_the_claim_takes_over(engine, made):
    early = made.fct_claims["C9"]
    assert (early["is_from_eob"], early["billed_amount"], early["payer"]) == (True, 100, "Medicare")
    both = []
    for order in ((1, 2), (2, 1)):
        b = Billing()
        b.eob("c9", "E9", "50", of="C9", total_submitted="100", insurer_display="Medicare", version=order[0])
        b.claim("c9", "C9", billed="101", coverage_display=None, version=order[1])
        frames = b.built(engine, MARTS[:3])
        (row,) = frames["fct_claims"].collect()
        both.append({name: value for name, value in row.asDict().items() if name not in ("version_at", "delivery_id")})
    assert both[0] == both[1]
    assert (both[0]["is_from_eob"], both[0]["billed_amount"], both[0]["payer"]) == (False, 101, "Medicare")


def test_money(made):
    """A total is not the sum of its lines: it counts, and is flagged [synthetichealth/synthea#1513].

    What was paid is not added up from lines either, where it is said [tuva-health/tuva-core#261].
    """
    c = made.fct_claims
    assert (c["C8"]["currency"], c["C1"]["currency"], c["eob:Alone"]["currency"]) == ("EUR", "USD", "USD")
    assert {name for name, row in c.items() if row["is_paid_over_billed"]} == {"C6"}
    assert (c["C1"]["is_header_unbalanced"], c["C1"]["line_net_amount"]) == (True, None)  # its lines say nothing
    assert (c["C8 dollars"]["patient_responsibility"], c["C8 dollars"]["billed_amount"]) == (None, 100)
    assert not c["C3"]["is_header_unbalanced"]
    assert c["eob:Alone"]["billed_amount"] == c["eob:Alone"]["line_net_amount"] == Decimal("112.4160")
    rounded = c["Rounded"]
    assert (rounded["allowed_amount"], rounded["patient_responsibility"]) == (Decimal("140.52"), Decimal("28.1040"))


def test_lines(made):
    denied, paid = (made.fct_claim_lines["C3", n] for n in (1, 2))
    assert (denied["is_denied"], denied["denied_amount"], denied["paid_amount"]) == (True, 60, None)
    assert (denied["denial_reason_system"], denied["denial_reason_code"]) == (CARC, "197")
    assert (paid["is_denied"], paid["net_amount"], paid["paid_amount"]) == (False, 40, 30)
    assert made.fct_claim_lines["eob:Alone", 1]["net_amount"] == Decimal("112.4160")
    assert made.fct_claim_lines["Twice", 1]["net_amount"] == made.fct_claims["Twice"]["line_net_amount"] == 25
    of_lines = sum(row["net_amount"] or 0 for row in made.fct_claim_lines.values())
    assert of_lines == sum(row["line_net_amount"] or 0 for row in made.fct_claims.values())


DENIALS = {
    "C3": (True, "authorization", CARC, "197", False),
    "C4": (False, "timely_filing", CARC, "CO-29", True),
    "Error": (False, "untold", None, None, False),
    "Medicare": (False, "non_covered", NON_PAYMENT, "B", False),
    "Indicated": (True, "medical_necessity", PROCESSING, "N", False),
    "Uncovered": (False, "non_covered", CARC, "96", False),
    "Partly": (True, "duplicate", CARC, "18", True),
    "First": (False, "coding", CARC, "16", True),
    "Itself": (False, "untold", None, None, False),
    "Pending": (False, "untold", None, None, None),
}


def test_every_denial_is_kept_with_its_reason_and_its_end(made):
    told = ("is_partial", "denial_category", "denial_reason_system", "denial_reason_code", "is_overturned")
    assert {name: tuple(row[n] for n in told) for name, row in made.claim_denials.items()} == DENIALS
    assert made.claim_denials["C4"]["denied_amount"] == 100
    assert [name for name, row in made.fct_claims.items() if row["is_resubmitted"]] == ["First"]


PARTIES = {
    "Insured": ("aetna", "Aetna Health Inc.", "Private", "Circulatory", None, "hospital"),
    "Self": ("name:self pay", "Self pay", "Self-Pay", "Circulatory", None, None),
    "Nobody": (None, None, "Unmapped", "Unmapped", "dr", None),
    "Insurer": ("name:molina medicaid of ohio", "Molina Medicaid of Ohio", "Medicaid", "No diagnosis", None, None),
    "Strange": ("name:zyx assurance", "Zyx Assurance", "Unmapped", "No diagnosis", None, "hospital"),
}


@pytest.mark.parametrize("claim", PARTIES)
def test_who_bills_whom(made, claim):
    told = ("payer_id", "payer", "payer_category", "diagnosis_category", "care_provider_id", "organization_id")
    assert tuple(made.fct_claims[claim][name] for name in told) == PARTIES[claim]


def test_what_a_claim_says(made):
    insured, own, nobody = (made.fct_claims[name] for name in ("Insured", "Self", "Nobody"))
    assert (insured["encounter_id"], insured["billable_start_date"]) == ("early", date(2024, 1, 4))
    assert (insured["primary_diagnosis_code"], insured["primary_diagnosis_display"]) == ("22298006", "MI")
    assert (own["claim_type"], own["billable_start_date"]) == ("other", date(2024, 2, 1))
    assert nobody["billable_start_date"] is None
    assert set(made.dim_payers) == {row["payer_id"] for row in made.fct_claims.values()} - {None}
