"""Penalties: fines and payment denials of the last three years (NH_Penalties, monthly).

Equal lines can be several penalties: a Fine ID tells them apart only since June 2026. Penalty Date is the day of the
inspection that found the cause, not the day on which the penalty was imposed.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import BY_PROVIDER, LOCATION, PROCESSING_DATE, PROVIDER_ID, WHERE
from nh_pipeline.model.columns import category, count, date, money, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

_TOLD = ("provider_id", "penalty_date", "penalty_type", "fine_amount", "payment_denial_start", "payment_denial_days")

PENALTIES = Dataset(
    name="penalties",
    title="Penalties",
    eras=BY_PROVIDER,
    told_by=("provider_id", "penalty_date", "penalty_type", "fine_amount", "processing_date"),
    released_by=PROCESSING_DATE,
    every_facility=False,
    columns=(
        PROVIDER_ID,
        *WHERE,
        date("penalty_date", "Day of the inspection that led to it", "Penalty Date", "PNLTY_DATE", required=True),
        category("penalty_type", "What was imposed", ("Fine", "Payment Denial"), "Penalty Type", "PNLTY_TYPE",
                 required=True),
        money("fine_amount", "Amount of the fine", "Fine Amount", "FINE_AMT", required=True),
        date("payment_denial_start", "First day without payment", "Payment Denial Start Date", "PAYDEN_STRT_DT"),
        count("payment_denial_days", "Days without payment", "Payment Denial Length in Days", "PAYDEN_DAYS"),
        text("fine_id", "CMS's number of the fine (June 2026 on)", "Fine ID"),
        LOCATION,
        PROCESSING_DATE,
    ),
    tables=(
        PerRelease(
            "fct_penalties",
            description="Fines and payment denials as each release shows them: one row per penalty.",
            columns=(*_TOLD, "fine_id"),
            repeats=_TOLD,
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="Each release covers three rolling years: take one release, never a sum over releases",
        ),
    ),
)  # fmt: skip

FCT_PENALTIES = PENALTIES["fct_penalties"]
