"""Quality measures of a nursing home, its citations and its penalties."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from dashboard import words
from dashboard.footnotes import SEVERITY, footnote
from dashboard.page import Column, Figure
from dashboard.sections.facility_home import newest

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

CLAIMS = {
    "521": "Short stays that were rehospitalized, per cent",
    "522": "Short stays with an outpatient emergency visit, per cent",
    "551": "Hospitalizations per 1,000 long-stay resident days",
    "552": "Outpatient emergency visits per 1,000 long-stay resident days",
}
"""Claims measures by code, in words."""

_QUARTERS = (1, 2, 3, 4)


def measures(page: Page, ask: Ask, home: Home) -> None:
    """Measures from claims and from residents' assessments (MDS), by the last release that lists the home."""
    claims, assessed = _claims(ask, home), _assessed(ask, home)
    if claims.empty and assessed.empty:
        return
    page.section("Quality measures", "A blank figure has a reason beside it: it is not zero.")
    if not claims.empty:
        page.table(
            claims,
            {
                "what": Column("From Medicare claims (less is better)"),
                "adjusted": Column("Adjusted", "number", "Risk-adjusted: what CMS compares homes by"),
                "observed": Column("Observed", "number"),
                "expected": Column("Expected", "number", "By the residents' risks"),
                "stars": Column("In the stars"),
                "period": Column("Period"),
                "why": Column("Why a figure is blank"),
            },
            name=f"claims-measures-{home.ccn}",
            source="CMS, Medicare Claims Quality Measures · record since "
            f"{words.day(claims['valid_from'].max())} · {words.count(len(claims), 'measure')}",
        )
    if not assessed.empty:
        page.table(
            assessed,
            {
                "what": Column("From residents' assessments (MDS)"),
                "four_quarter_average": Column("Four quarters", "percent"),
                **{f"q{n}_score": Column(f"Q{n}", "percent", f"Quarter {n} of the period") for n in _QUARTERS},
                "why": Column("Why a figure is blank"),
                "stars": Column("In the stars"),
                "period": Column("Period"),
            },
            name=f"mds-measures-{home.ccn}",
            source=f"CMS, MDS Quality Measures, release of {words.day(assessed['release'].iloc[0])} · per cent of "
            f"residents that the measure counts · {words.count(len(assessed), 'measure')}",
        )


def citations(page: Page, ask: Ask, home: Home) -> None:
    """Health and fire safety deficiencies that any release shows, each once, the newest first."""
    rows = ask(
        "select c.survey_date, c.survey_type, c.deficiency_prefix || '-' || c.deficiency_tag as tag, "
        "coalesce(t.deficiency_description, c.deficiency_category) as what, c.scope_severity, c.deficiency_corrected, "
        "c.correction_date, c.complaint_deficiency, c.last_release, c.is_current "
        "from gold.citations as c left join silver.dim_citation_tags as t "
        "on t.deficiency_prefix = c.deficiency_prefix and t.deficiency_tag = c.deficiency_tag "
        "where c.provider_id = ? order by c.survey_date desc, c.scope_severity desc, tag",
        home.ccn,
    )
    page.section(
        "Citations", "Deficiencies found by inspections, each once, as far as the releases of this lake show them."
    )
    if rows.empty:
        page.nothing("No citation of this home is in this lake. That may also mean that no such file was landed.")
        return
    span = words.period(rows["survey_date"].min().date(), rows["survey_date"].max().date())
    health = rows[rows["survey_type"] == "health"]
    source = f"inspections {span} · CMS, Health and Fire Safety Deficiencies"
    page.figures(
        [
            Figure("Health citations", f"{len(health):,}", source),
            Figure("Of them, with actual harm or worse", f"{int((health['scope_severity'] >= 'G').sum()):,}", source),
            Figure("Of them, with immediate jeopardy", f"{int((health['scope_severity'] >= 'J').sum()):,}", source),
            Figure("Fire safety citations", f"{len(rows) - len(health):,}", source),
        ]
    )
    rows["severity"] = rows["scope_severity"].map(SEVERITY)
    rows["complaint"] = rows["complaint_deficiency"].map({True: "yes"}).fillna("")
    rows["shown"] = ["in the newest release" if c else f"to {words.day(d)}"
                     for c, d in zip(rows["is_current"], rows["last_release"], strict=True)]  # fmt: skip
    page.table(
        rows,
        {
            "survey_date": Column("Inspected", "date"),
            "survey_type": Column("Kind"),
            "tag": Column("Tag"),
            "severity": Column("Severity and scope"),
            "what": Column("What the tag demands"),
            "complaint": Column("Complaint"),
            "deficiency_corrected": Column("Corrected"),
            "correction_date": Column("On", "date"),
            "shown": Column("Shown"),
        },
        name=f"citations-{home.ccn}",
        source=f"{words.count(len(rows), 'citation')} · {source}",
    )


def penalties(page: Page, ask: Ask, home: Home) -> None:
    """Fines and payment denials, without those that a later release took back."""
    rows = ask(
        "select penalty_date, penalty_type, cast(fine_amount as double) as fine_amount, payment_denial_start, "
        "payment_denial_days, first_release, last_release, ended from gold.penalties where provider_id = ? "
        "order by penalty_date desc",
        home.ccn,
    )
    gone = int((rows["ended"] == "gone").sum())
    rows = rows[rows["ended"] != "gone"]
    page.section(
        "Penalties", "Fines and payment denials; what a later release no longer shows for its time is left out."
    )
    if rows.empty:
        page.nothing("No penalty of this home is in this lake. That may also mean that no such file was landed.")
        return
    fines = rows[rows["penalty_type"] == "Fine"]
    span = words.period(rows["penalty_date"].min().date(), rows["penalty_date"].max().date())
    source = f"inspections {span} · CMS, Penalties" + (f" · {gone} withdrawn or changed, left out" if gone else "")
    page.figures(
        [
            Figure("Fines", f"{len(fines):,}", source),
            Figure("Sum of the fines", f"${words.number(fines['fine_amount'].sum(), 0)}", source),
            Figure("Payment denials", f"{len(rows) - len(fines):,}", source),
        ]
    )
    rows["shown"] = ["in the newest release" if e == "current" else f"until {words.day(d)}, then too old to be listed"
                     for e, d in zip(rows["ended"], rows["last_release"], strict=True)]  # fmt: skip
    page.table(
        rows,
        {
            "penalty_date": Column("Inspected", "date"),
            "penalty_type": Column("What"),
            "fine_amount": Column("Fine", "dollars"),
            "payment_denial_start": Column("No payment from", "date"),
            "payment_denial_days": Column("Days", "count"),
            "shown": Column("Shown"),
        },
        name=f"penalties-{home.ccn}",
        source=f"{words.count(len(rows), 'penalty', 'penalties')} · {source}",
    )


def _claims(ask: Ask, home: Home) -> pd.DataFrame:
    scores = ", ".join(f"cast({s}_score as double) as {s}" for s in ("adjusted", "observed", "expected"))
    rows = ask(
        f"select measure_code, {scores}, footnote, used_in_five_star, measure_period, valid_from "
        "from silver.dim_claims where provider_id = ? order by measure_code, valid_from",
        home.ccn,
    ).drop_duplicates("measure_code", keep="last")
    return rows.assign(
        what=[CLAIMS.get(code, f"Measure {code}") for code in rows["measure_code"]],
        why=rows["footnote"].map(footnote),
        period=rows["measure_period"].map(period),
        stars=_in_stars(rows),
    )


def _assessed(ask: Ask, home: Home) -> pd.DataFrame:
    release = newest(ask, "silver.fct_mds_measures", home.until)
    scores = ", ".join(f"cast(q{n}_score as double) as q{n}_score" for n in _QUARTERS)
    rows = ask(
        f"select release, measure_code, measure_description, {scores}, "
        "cast(four_quarter_average as double) as four_quarter_average, "
        "coalesce(four_quarter_average_footnote, q1_score_footnote) as number, used_in_five_star, measure_period "
        "from silver.fct_mds_measures where release = ? and provider_id = ? order by resident_type, measure_code",
        release,
        home.ccn,
    )
    named = rows["measure_description"].fillna(rows["measure_code"]).str.removeprefix("Percentage of ")
    return rows.assign(
        what=named.str[:1].str.upper() + named.str[1:],
        why=rows["number"].map(footnote),
        stars=_in_stars(rows),
        period=rows["measure_period"].map(period),
    )


def period(told: str | None) -> str:
    """The time of a measure in words: quarters (``2023Q3-2024Q2``) or days (``20230401-20240331``)."""
    ends = (told or "").split("-")
    if len(ends) == 2 and all(end.isdigit() for end in ends):  # noqa: PLR2004 (first and last)
        return words.period(*(datetime.strptime(end, "%Y%m%d").date() for end in ends))  # noqa: DTZ007
    return " to ".join(ends)


def _in_stars(rows: pd.DataFrame) -> list[str]:
    return ["yes" if used == "Y" else "" for used in rows["used_in_five_star"]]
