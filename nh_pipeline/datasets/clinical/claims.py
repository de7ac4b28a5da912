"""Claims, what payers made of them, and coverages: what of their FHIR resources is a row of bronze.

Amounts are text as written, in the currency beside them.
"""

from __future__ import annotations

from nh_pipeline.datasets.clinical.care import CPT, ICD_10, SNOMED
from nh_pipeline.model.view import Field, View, concept, reference, value

_CLAIM_TYPE = ("http://terminology.hl7.org/CodeSystem/claim-type",)
_DIAGNOSES = ("diagnosis.where(type.coding.code = 'principal')", "diagnosis.where(sequence = '1')", "diagnosis[0]")
_CLM_ID = "https://bluebutton.cms.gov/resources/variables/clm_id"
_NON_PAYMENT = "https://bluebutton.cms.gov/resources/variables/clm_mdcr_non_pmt_rsn_cd"
_DENIED_LINE = "https://bluebutton.cms.gov/resources/variables/line_prcsg_ind_cd"

# What a claim and the decision on it both say, and the lines of both.
_WHO = (
    reference("provider", "Who claims", "provider", to=("Practitioner", "PractitionerRole", "Organization")),
    reference("facility", "Where", "facility", to=("Location", "Organization")),
)
_WHEN = (
    value("created", "When it was made", "created"),
    value("billable_start", "First day of service", "billablePeriod.start"),
    value("billable_end", "Last day of service", "billablePeriod.end"),
)
_COVERAGE = reference(
    "coverage",
    "Insurance that it is for",
    "insurance.where(focal = 'true').coverage",
    "insurance[0].coverage",
    to=("Coverage",),
)
_RELATED = reference("related_claim", "Claim that it follows", "related[0].claim", to=("Claim",))
_ITEM_COUNT = Field("item_count", "Number of lines", ("item",), "count")
_SEQUENCE = value("sequence", "Number of the line", "sequence")
_SERVICE = (
    concept("service", "What was done", "productOrService", prefers=(SNOMED, CPT)),
    concept("revenue", "Revenue centre", "revenue"),
)
_ENCOUNTER = reference("encounter", "Encounter that it is of", "encounter[0]", to=("Encounter",))


def _diagnosis(*, of: str = "") -> tuple[Field, Field]:
    """The principal diagnosis, else the first: as a reference to a condition, or in codes."""
    conditions = tuple(f"{of}{path}.diagnosis.ofType(Reference)" for path in _DIAGNOSES)
    codes = tuple(f"{of}{path}.diagnosis.ofType(CodeableConcept)" for path in _DIAGNOSES)
    return (
        reference("diagnosis_condition", "Principal diagnosis, else the first", *conditions, to=("Condition",)),
        concept("diagnosis", "Principal diagnosis, else the first", *codes, prefers=(ICD_10, SNOMED)),
    )


def _amount(name: str, description: str, *paths: str) -> Field:
    return value(name, description, *(f"{path}.value" for path in paths))


def _total(name: str, *codes: str) -> Field:
    of = (f"total.where(category.coding.code = '{code}').amount" for code in codes)
    return _amount(f"total_{name}", f"Total of category {name}", *of)


CLAIM = View(
    "claim",
    "Claim",
    description="Claims of every delivery, one row per resource.",
    patient="patient",
    fields=(
        value("status", "State of the claim", "status"),
        concept("type", "Kind of claim", "type", prefers=_CLAIM_TYPE),
        concept("sub_type", "More exact kind", "subType"),
        value("use", "claim, preauthorization or predetermination", "use"),
        reference("subject", "Whose claim", "patient", to=("Patient",)),
        *_WHO,
        reference("insurer", "To whom", "insurer", to=("Organization",)),
        *_WHEN,
        concept("priority", "Urgency", "priority"),
        reference("prescription", "Prescription", "prescription", to=("MedicationRequest", "DeviceRequest")),
        _COVERAGE,
        Field("insurance_count", "Number of insurances", ("insurance",), "count"),
        _amount("total_value", "Total", "total"),
        value("total_currency", "Currency of the total", "total.currency"),
        _ITEM_COUNT,
        _RELATED,
        *_diagnosis(),
    ),
)

CLAIM_ITEM = View(
    "claim_item",
    "Claim",
    description="Lines of the claims of every delivery.",
    patient="patient",
    for_each=("item",),
    index="item_index",
    fields=(
        _SEQUENCE,
        *_SERVICE,
        value("serviced_start", "When", "serviced.ofType(date)", "serviced.ofType(Period).start"),
        value("serviced_end", "Until when", "serviced.ofType(Period).end"),
        value("quantity", "How many", "quantity.value"),
        _amount("unit_price", "Price of one", "unitPrice"),
        _amount("net", "Price of all", "net"),
        value("currency", "Currency", "net.currency", "unitPrice.currency"),
        value("diagnosis_sequence", "Number of the diagnosis that it is for", "diagnosisSequence[0]"),
        _ENCOUNTER,
    ),
)

EXPLANATION_OF_BENEFIT = View(
    "explanation_of_benefit",
    "ExplanationOfBenefit",
    description="Explanations of benefit of every delivery, one row per resource.",
    patient="patient",
    fields=(
        value("status", "State", "status"),
        concept("type", "Kind of claim", "type", prefers=_CLAIM_TYPE),
        value("use", "claim, preauthorization or predetermination", "use"),
        value("outcome", "queued, complete, error or partial", "outcome"),
        value("disposition", "The same in words", "disposition"),
        reference("subject", "Whose", "patient", to=("Patient",)),
        *_WHO,
        reference("insurer", "Who decided", "insurer", to=("Organization",)),
        reference("claim", "The claim", "claim", to=("Claim",)),
        value(
            "claim_number",
            "The claim's number, as CMS's Blue Button has it",
            f"identifier.where(system = '{_CLM_ID}').value",
        ),
        reference("claim_response", "The decision", "claimResponse", to=("ClaimResponse",)),
        *_WHEN,
        _COVERAGE,
        _amount("payment_amount", "What was paid", "payment.amount"),
        value("payment_currency", "In which currency", "payment.amount.currency"),
        value("payment_date", "When", "payment.date"),
        concept("payment_type", "Whether it is all", "payment.type"),
        _total("submitted", "submitted"),
        _total("benefit", "benefit", "payment"),
        _total("eligible", "eligible", "allowed"),
        _total("deductible", "deductible"),
        _total("noncovered", "noncovered"),
        value("total_currency", "Currency of the totals", "total[0].amount.currency"),
        _RELATED,
        value(
            "non_payment_reason",
            "Why Medicare did not pay",
            f"extension('{_NON_PAYMENT}').value.ofType(Coding).code",
        ),
        _ITEM_COUNT,
        *_diagnosis(),
    ),
)

EOB_ITEM = View(
    "eob_item",
    "ExplanationOfBenefit",
    description="Lines of the explanations of benefit of every delivery.",
    patient="patient",
    for_each=("item",),
    index="item_index",
    fields=(
        _SEQUENCE,
        value("claim_sequence", "Number of the claim's line", "itemSequence[0]"),
        *_SERVICE,
        value("serviced_start", "When", "serviced.ofType(date)", "serviced.ofType(Period).start"),
        _amount("net", "Price", "net"),
        value("currency", "Currency", "net.currency"),
        value("processing_code", "How Medicare processed it", f"extension('{_DENIED_LINE}').value.ofType(Coding).code"),
        _ENCOUNTER,
    ),
)

EOB_ADJUDICATION = View(
    "eob_adjudication",
    "ExplanationOfBenefit",
    description="Amounts that payers decided on, one row each: of a line, or of all (without a line's number).",
    patient="patient",
    for_each=("item.adjudication", "adjudication"),
    index="item_index",
    fields=(
        value("sequence", "Number of the line", "%parent.sequence"),
        concept("category", "What the amount is", "category"),
        concept("reason", "Why", "reason"),
        _amount("amount", "Amount", "amount"),
        value("currency", "Currency", "amount.currency"),
        value("value", "A number that is no amount", "value"),
    ),
)

COVERAGE = View(
    "coverage",
    "Coverage",
    description="Insurances of every delivery, one row each; the id of one within a resource is `<its id>#<own id>`.",
    patient="beneficiary",
    contained=True,
    index="item_index",
    fields=(
        value("status", "State", "status"),
        concept("type", "Kind of insurance", "type"),
        reference("beneficiary", "Who is insured", "beneficiary", to=("Patient",)),
        reference("payor", "Who insures; people who do are `unsupported`", "payor[0]", to=("Organization",)),
        value("period_start", "Start", "period.start"),
        value("period_end", "End", "period.end"),
        value("relationship", "Relationship of the patient to who pays", "relationship.coding.code"),
    ),
)
