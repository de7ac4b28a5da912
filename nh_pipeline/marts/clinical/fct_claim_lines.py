"""``clinical_silver.fct_claim_lines``: the lines of claims, and what was decided on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.claims import CLAIM, CLAIM_ITEM, EOB_ADJUDICATION, EOB_ITEM, EXPLANATION_OF_BENEFIT
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.reference.denials import denial_category
from nh_pipeline.marts.clinical.adjudicated_lines import decided, decided_lines
from nh_pipeline.marts.clinical.billing import amounts
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS, NOT_YET
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import VERSION
from nh_pipeline.model.columns import date, decimal, flag, integer, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = ("claim_id", "line_number")
_SERVICE = ("service_system", "service_code", "service_display", "revenue_code", "serviced_start")
_DECIDED = ("submitted", "allowed", "paid", "responsibility")


def claim_lines(  # noqa: PLR0917 (it reads so many tables)
    claims: DataFrame,
    said: DataFrame,
    items: DataFrame,
    benefits: DataFrame,
    eob_items: DataFrame,
    eob_adjudications: DataFrame,
    directory: DataFrame,
    deletions: DataFrame,
    conflicts: DataFrame,
) -> DataFrame:
    """Lines of claims, with those of the decision that counts; where no Claim was delivered, of that alone."""
    from nh_pipeline.transforms.fhir_money import amount
    from nh_pipeline.transforms.latest import elements, winners
    from nh_pipeline.transforms.references import resolved

    found = winners(said, deletions, conflicts, CLAIM.table)
    lines = resolved(elements(items, found), directory, "encounter").selectExpr(
        "*", "resource_id as claim_id", f"{_number('sequence')} as line_number", f"{amount('net')} as net_amount"
    )
    of_claim = claims.selectExpr("eob_id as resource_id", "claim_id")
    counting = winners(benefits, deletions, conflicts, EXPLANATION_OF_BENEFIT.table).join(
        of_claim, "resource_id", "left_semi"
    )
    decisions = decided(elements(eob_adjudications, counting))
    theirs = (
        decided_lines(resolved(elements(eob_items, counting), directory, "encounter"), decisions)
        .join(of_claim, "resource_id")
        .selectExpr("*", f"{_number('coalesce(claim_sequence, sequence)')} as line_number")
    )
    return _beside(_summed(lines), _judged(theirs), claims)


def _number(sequence: str) -> str:
    return rf"case when {sequence} rlike '^[0-9]{{1,9}}\\z' then cast({sequence} as int) else item_index end"


def _summed(lines: DataFrame) -> DataFrame:
    """One row per number of a line, which a claim should have once."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_money import amount

    return lines.groupBy(*_KEY).agg(
        *(F.expr(f"min_by({name}, item_index) as {name}") for name in (*_SERVICE, "encounter_resolved")),
        F.expr(f"sum({amount('quantity')}) as quantity"),
        F.expr("sum(net_amount) as net_amount"),
    )


def _judged(lines: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    reason = "case when denial_reason_code is not null then item_index end"
    return lines.groupBy(*_KEY).agg(
        *(F.expr(f"min_by({name}, item_index) as e_{name}") for name in (*_SERVICE, "encounter_resolved")),
        *(F.expr(f"sum({name}) as {name}") for name in _DECIDED),
        F.expr("sum(net_amount) as e_net_amount"),
        F.expr("sum(case when is_denied then submitted end) as denied"),
        F.expr("bool_or(is_denied) as is_denied"),
        *(F.expr(f"min_by({name}, {reason}) as {name}") for name in ("denial_reason_system", "denial_reason_code")),
    )


def _beside(lines: DataFrame, decided_on: DataFrame, claims: DataFrame) -> DataFrame:
    from nh_pipeline.transforms.fhir_dates import written

    names = ("patient_id", "patient_bucket", "currency", "is_from_eob", "adjudication", *(c.name for c in VERSION))
    joined = lines.join(decided_on, [*_KEY], "full").join(claims.select("claim_id", *names), "claim_id")
    either = {name: f"coalesce({name}, e_{name})" for name in _SERVICE}
    known = f"adjudication <> '{NOT_YET}'"
    sql = either | {
        "encounter_id": "coalesce(encounter_resolved, e_encounter_resolved)",
        "serviced_date": written(either["serviced_start"]),
        "net_amount": "case when is_from_eob then e_net_amount else net_amount end",
        "allowed_amount": f"case when {known} then allowed end",
        "paid_amount": f"case when {known} then paid end",
        "patient_responsibility": f"case when {known} then responsibility end",
        "is_denied": f"coalesce(is_denied and {known}, false)",
        "denied_amount": f"case when is_denied and {known} then denied end",
        "denial_category": "case when is_denied and "
        f"{known} then {denial_category('denial_reason_system', 'denial_reason_code')} end",
    }
    return joined.selectExpr(*select(FCT_CLAIM_LINES.columns, sql))


_OF = FCT_CLAIMS.by_name

MART = Mart(
    "fct_claim_lines",
    database="clinical_silver",
    bucket="patient_bucket",
    description="Lines of claims, one row each, with what was decided on them last.",
    grain=_KEY,
    sort=("patient_id", *_KEY),
    columns=(
        _OF["claim_id"],
        integer("line_number", "Number of the line: its sequence", nullable=False),
        _OF["patient_id"],
        _OF["patient_bucket"],
        text("encounter_id", "Encounter that it is for"),
        text("service_system", "Code system of what was done"),
        text("service_code", "Its code"),
        text("service_display", "Its name, as delivered"),
        text("revenue_code", "Revenue centre"),
        date("serviced_date", "Day of service, as written"),
        decimal(18, 4, "quantity", "How many"),
        amounts("net_amount", "What it charges"),
        amounts("allowed_amount", "What the payer takes for a fair charge"),
        amounts("paid_amount", "What the payer paid for it"),
        amounts("patient_responsibility", "Deductible, coinsurance and copay"),
        flag("is_denied", "It is denied"),
        amounts("denied_amount", "What it charged, if it is denied"),
        *(_OF[name] for name in ("denial_reason_system", "denial_reason_code", "denial_category", "currency")),
        *VERSION,
    ),
    reads=(
        FCT_CLAIMS,
        CLAIM.table,
        CLAIM_ITEM.table,
        EXPLANATION_OF_BENEFIT.table,
        EOB_ITEM.table,
        EOB_ADJUDICATION.table,
        LOOKUP,
        DELETION,
        ID_CONFLICTS,
    ),
    transform=claim_lines,
    conserves=(("sum(net_amount)", "sum(line_net_amount)"),),
    foreign_keys=(("claim_id", "clinical_silver.fct_claims.claim_id"),),
    caution="Do not add lines to a claim's total: the total counts, and may differ from their sum",
)

FCT_CLAIM_LINES = MART.table
