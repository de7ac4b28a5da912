"""Own outcomes of a nursing home by month: hospital visits of its residents beside CMS's measures and its staffing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dashboard import charts, few, words
from dashboard.page import Column
from dashboard.sections.facility_home import PBJ
from dashboard.sections.facility_quality import period
from dashboard.sections.records import SOURCE, month_end
from nh_pipeline import domains

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.page import Page

CMS = "CMS, Medicare Claims Quality Measures (521, 522)"
CARE = (
    "Of stays that began in the month, those that were followed by a stay in a hospital, or by a visit of an emergency "
    "department without one, within 30 days. Own rates are as observed; CMS's are risk-adjusted, of Medicare stays and "
    "of an earlier time: compare how they go, not how high they are."
)
COLUMNS = {
    "admissions": Column("Stays", "people", "Admissions to the home"),
    "rehospitalized": Column("To hospital", "people", "Of these, followed by a stay in a hospital within 30 days"),
    "rehospitalized_rate": Column("Own rate", "share"),
    "cms_rehospitalized": Column("CMS 521", "share", "Short stays that were rehospitalized, risk-adjusted"),
    "ed": Column("To ED", "people", "Of these, followed by a visit of an emergency department without a stay"),
    "ed_rate": Column("Own ED rate", "share"),
    "cms_ed": Column("CMS 522", "share", "Short stays with an outpatient emergency visit, risk-adjusted"),
    "hprd": Column("HPRD", "hprd", "Nurse hours per resident day, by PBJ"),
    "period": Column("CMS's period", help="Of its measure 521, and how far it lies behind"),
}
_SERIES = {
    "rehospitalized_rate": "Own, rehospitalized",
    "cms_rehospitalized": "CMS 521, rehospitalized",
    "ed_rate": "Own, emergency visit",
    "cms_ed": "CMS 522, emergency visit",
}


def by_month(page: Page, ask: Ask, ccn: str, name: str = "") -> None:
    """A home month by month; nothing, if it has no own records, or they are not of this process."""
    if set(domains.DOMAINS) - set(domains.selected()):
        return
    rows = _months(ask, ccn)
    if rows.empty:
        return
    span = words.period(rows["month_start"].iloc[0].date(), month_end(rows["month_start"].iloc[-1]))
    source = f"{SOURCE} · {CMS} as of the month's end · {span}"
    page.section(f"Own outcomes{f' of {name}' * bool(name)} by month", CARE)
    last = rows.iloc[-1]
    if last["period"]:
        page.text(f"In {last['month']}, CMS's measure 521 was of {last['period']}.")
    rates, hours = page.beside(2)
    known = rows.dropna(subset="rehospitalized_rate")
    ends = [
        f"{words.share(m.rehospitalized_rate)} in {m.month}" for m in known.iloc[[0, -1][: len(known)]].itertuples()
    ]
    rates.chart(
        charts.lines(rows, "month_start", _SERIES, title="Share of admissions", form=".1%"),
        name=f"own-outcomes-{ccn}",
        alt=f"Own rate of rehospitalization: {', '.join(ends) or 'kept back'}; beside it, CMS's measures.",
        source=f"{source} · {len(known):,} of {words.count(len(rows), 'month')} with an own rate",
        data=rows[["month", *_SERIES]],
    )
    staffed = rows.dropna(subset="hprd")
    if not staffed.empty:
        hours.chart(
            charts.lines(staffed, "month_start", {"hprd": "All nursing staff"}, title=words.HPRD),
            name=f"own-outcomes-staffing-{ccn}",
            alt=f"Nurse hours per resident day of these months: {words.number(staffed['hprd'].iloc[0])} in the first, "
            f"{words.number(staffed['hprd'].iloc[-1])} in the last.",
            source=f"{PBJ} · {span}",
            data=staffed[["month", "hprd"]],
        )
    page.table(
        rows,
        {"month": Column("Month"), **COLUMNS, "why": Column("Why a rate is blank")},
        name=f"own-outcomes-by-month-{ccn}",
        source=f"{source} · {PBJ} · {few.KEPT_BACK}",
    )


def with_period(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the ``period`` of CMS's measure in words, and how many months it lies behind.

    It does not, where only a later measure than that of the month is in the lake.
    """
    behind = [f", {words.count(int(n), 'month')} behind" if n >= 0 else "" for n in rows["months_behind"].fillna(-1)]
    return rows.assign(period=rows["measure_period_521"].map(period) + behind)


def _months(ask: Ask, ccn: str) -> pd.DataFrame:
    """All months of a home, as they may be shown to anybody: what is NULL in the table is small."""
    rows = ask(
        "select month_start, snf_admissions as admissions, own_rehospitalized_30d as rehospitalized, "
        "own_rehospitalization_rate as rehospitalized_rate, cast(rehospitalization_521 as double) / 100 as "
        "cms_rehospitalized, own_ed_30d as ed, own_ed_rate as ed_rate, cast(outpatient_ed_522 as double) / 100 as "
        "cms_ed, measure_period_521, months_behind, hprd_total as hprd, is_followed_up "
        "from gold.facility_outcomes where provider_id = ? order by month_start",
        ccn,
    )
    for name in ("admissions", "rehospitalized", "ed"):
        rows[name] = [few.FEW if pd.isna(n) else few.count(n) for n in rows[name]]
    blank = rows[["rehospitalized_rate", "ed_rate"]].isna().any(axis=1)
    why = rows["is_followed_up"].map({True: f"fewer than {few.FEWEST}", False: "not all are followed up yet"})
    return with_period(rows).assign(
        month=[f"{m:%b %Y}" for m in rows["month_start"]],
        why=why.where(blank, ""),
    )
