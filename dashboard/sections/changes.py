"""What a release says otherwise than the one before it: of homes, and of CMS's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from dashboard import charts, words
from dashboard.footnotes import footnote
from dashboard.page import Column
from nh_pipeline.marts.series_breaks import KINDS as BREAKS
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "CMS, Provider Information"
NONE = (
    "Nothing to compare yet: it takes two releases of Provider Information. Land another month and run `nh run FOLDER`."
)
MOST_ROWS = 5_000
FAR_APART = 45
"""Days between two releases: above, more than one month's changes are in them."""

_STARS = {
    "overall_rating": "Overall stars", "health_inspection_rating": "Health inspection stars",
    "staffing_rating": "Staffing stars", "qm_rating": "Quality measure stars",
}  # fmt: skip
_COUNTS = {"certified_beds": "Certified beds", "fines": "Fines in three years",
           "payment_denials": "Payment denials in three years"}  # fmt: skip
_MARKS = {"special_focus_status": "Special focus", "abuse_icon": "Abuse icon",
          "changed_ownership": "Mark of a change of owner in 12 months"}  # fmt: skip
_TEXTS = {
    "ownership_type": "Kind of owner", "legal_business_name": "Legal entity", "chain_id": "Chain (number)",
    "chain_name": "Chain (name)", "provider_name": "Name of the home",
    "overall_rating_footnote": "Footnote to the overall stars",
    "staffing_rating_footnote": "Footnote to the staffing stars",
}  # fmt: skip
_LISTED = "listed"
WHAT = {**_STARS, **_COUNTS, **_MARKS, **_TEXTS, _LISTED: "Home"}
"""What changes are of, in words."""

GROUPS = {
    "Stars": tuple(_STARS),
    "Special focus and abuse": ("special_focus_status", "abuse_icon"),
    "Owner": ("ownership_type", "changed_ownership", "legal_business_name"),
    "Chain": ("chain_id", "chain_name"),
    "Name": ("provider_name",),
    "Opened or closed": (_LISTED,),
    "Fines and payment denials": ("fines", "payment_denials"),
    "Footnotes": ("overall_rating_footnote", "staffing_rating_footnote"),
    "Beds": ("certified_beds",),
}
"""Kinds of changes that can be chosen."""

_HOW = f"""
    case when what = '{_LISTED}' then case c.after when 'Y' then 'listed anew' else 'no longer listed' end
        when what in ({", ".join(f"'{name}'" for name in _MARKS)}) then
            case when coalesce(c.before, 'N') = 'N' then 'set' when coalesce(c.after, 'N') = 'N' then 'taken away'
                else 'another' end
        when c.before is null then 'none before' when c.after is null then 'none now'
        when what in ({", ".join(f"'{name}'" for name in (*_STARS, *_COUNTS))}) then
            case when try_cast(c.after as double) > try_cast(c.before as double) then 'up' else 'down' end
        when lower(c.before) = lower(c.after) then 'capital letters only' else 'another' end
"""
"""How a column changed, as SQL over ``gold.changes as c``."""


def releases(ask: Ask) -> dict[str, date]:
    """Releases that can be compared with one before them, the newest first: in words, and their days."""
    found = ask("select distinct release from gold.changes order by release desc")
    return {words.day(day): day.date() for day in found["release"]}


def counted(page: Page, ask: Ask, release: date, kinds: Collection[str] = (), states: Collection[str] = ()) -> None:
    """How many homes changed how."""
    where, values, of = _chosen(release, kinds, states)
    rows = ask(
        f"select what, {_HOW} as how, count(*) as n, max(previous_release) as previous from gold.changes as c "
        f"where {where} group by 1, 2 order by n desc, 1, 2",
        *values,
    )
    if rows.empty:
        page.nothing(f"No changes of this kind in the release of {words.day(release)} ({of}). Choose more kinds or "
                     "states.")  # fmt: skip
        return
    previous = rows["previous"].max()
    told = f"{words.day(release)} against {words.day(previous)} · {of}"
    days = (pd.Timestamp(release) - previous).days
    page.section("What changed at homes", f"Release of {told}.")
    if days > FAR_APART:
        page.warning(
            f"The release before it that is in this lake is {days:,} days older: these are changes of all that time."
        )
    rows["label"] = rows["what"].map(WHAT).fillna(rows["what"]) + ": " + rows["how"]
    first = rows.iloc[0]
    page.chart(
        charts.bars(rows, "label", "n", title="homes", form=",d").encode(
            x=alt.X("n:Q", title="homes", axis=alt.Axis(format=",d", tickMinStep=1))
        ),
        name=f"changes-{release}",
        alt=f"Most frequent: {first['label']}, {words.count(int(first['n']), 'home')}; "
        f"{words.count(int(rows['n'].sum()), 'change')} in all.",
        source=f"{words.count(int(rows['n'].sum()), 'change')}, one for each home and column · {told} · {SOURCE}",
        data=rows[["what", "how", "label", "n"]],
    )


def listed(page: Page, ask: Ask, release: date, kinds: Collection[str] = (), states: Collection[str] = ()) -> None:
    """The changes one by one, with the value before and after."""
    where, values, of = _chosen(release, kinds, states)
    rows = ask(
        f"""
        select c.provider_id, coalesce(n.provider_name, o.provider_name) as provider_name,
            coalesce(n.city, o.city) as city, c.state, c.what, {_HOW} as how, c.before, c.after, c.previous_release,
            count(*) over () as n
        from gold.changes as c
        left join (select provider_id, provider_name, city from silver.fct_provider_releases where release = ?) as n
            on n.provider_id = c.provider_id
        left join silver.fct_provider_releases as o
            on o.provider_id = c.provider_id and o.release = c.previous_release
        where {where} order by c.state, c.provider_id, c.what limit {MOST_ROWS}
        """,
        release, *values,
    )  # fmt: skip
    if rows.empty:
        return
    n = int(rows["n"].iloc[0])
    footnotes = rows["what"].isin(GROUPS["Footnotes"])
    rows["what"] = rows["what"].map(WHAT).fillna(rows["what"]) + ": " + rows["how"]
    for side in ("before", "after"):
        rows[side] = rows[side].replace({"Y": "yes", "N": "no"})
        rows.loc[footnotes, side] = rows.loc[footnotes, side].map(footnote)
    page.section("Each change", "The value in the release before, and in this one.")
    page.table(
        rows,
        {
            "provider_id": Column("CCN"),
            "provider_name": Column("Home"),
            "state": Column("State"),
            "what": Column("What changed"),
            "before": Column("Before"),
            "after": Column("After"),
            "city": Column("City"),
        },
        name=f"each-change-{release}",
        source=f"{words.count(n, 'change')}"
        + (f", the first {MOST_ROWS:,} shown: choose a kind or a state for the others" if n > MOST_ROWS else "")
        + f" · {words.day(release)} against {words.day(rows['previous_release'].max())} · {of} · {SOURCE}",
    )


def columns(page: Page, ask: Ask, release: date) -> None:
    """Columns of CMS's files that came or went with the release, as measured in this lake."""
    part, before = release.isoformat(), "p.part < ?"
    rows = ask(
        f"""
        with parts as (
            select distinct table_name, part from gold.data_quality
            where measure = 'rows_out' and table_name like 'silver.fct%' and length(part) = 10),
        previous as (select p.table_name, max(p.part) as part from parts as p where {before} group by p.table_name),
        blank as (
            select table_name, part, subject from gold.data_quality
            where measure = 'nulls' and found = of_rows and table_name like 'silver.fct%')
        select p.table_name, p.part as previous, b.subject as name, 'went' as how from previous as p
            join parts as t on t.table_name = p.table_name and t.part = ?
            join blank as b on b.table_name = p.table_name and b.part = ?
            left join blank as o on o.table_name = p.table_name and o.part = p.part and o.subject = b.subject
            where o.subject is null
        union all
        select p.table_name, p.part as previous, b.subject as name, 'came' as how from previous as p
            join parts as t on t.table_name = p.table_name and t.part = ?
            join blank as b on b.table_name = p.table_name and b.part = p.part
            left join blank as n on n.table_name = p.table_name and n.part = ? and n.subject = b.subject
            where n.subject is null
        order by 1, 4, 3
        """,
        part, part, part, part, part,
    )  # fmt: skip
    page.section(
        "Columns that came and went",
        f"Columns that the release of {words.day(release)} fills and the one before left blank for all, or the other "
        "way round, as counted in this lake.",
    )
    if rows.empty:
        page.text("None: each file of this release fills the columns that the one before filled.")
        return
    declared = {t.name: t.by_name for t in tables()}
    pairs = zip(rows["table_name"], rows["name"], strict=True)
    page.table(
        rows.assign(source=[declared[t][name].source if name in declared[t] else "" for t, name in pairs]),
        {
            "how": Column("Came or went"),
            "source": Column("Column of CMS's file"),
            "name": Column("Our column"),
            "table_name": Column("Table"),
            "previous": Column("Release before"),
        },
        name=f"columns-{release}",
        source=f"{words.count(len(rows), 'column')} · gold.data_quality of this lake",
    )


def breaks(page: Page, ask: Ask, since: date | None = None, until: date | None = None) -> None:
    """When CMS changed what a figure means, or its files; those of a release, if ``since`` and ``until`` name one."""
    rows = ask("select first_day, kind, series, what, source from gold.series_breaks order by first_day desc, series")
    if since is not None and until is not None:
        rows = rows[(rows["first_day"] > pd.Timestamp(since)) & (rows["first_day"] <= pd.Timestamp(until))]
        page.section(
            "What CMS changed between the two releases",
            "A figure that jumps here may have jumped because its definition did.",
        )
        if rows.empty:
            page.text("No change of a definition or a file is known for this time.")
            return
    else:
        page.section(
            "Breaks in CMS's series",
            "When the same name began to mean something else, columns came or went, or days and releases are missing: "
            "what lies on both sides of such a day is not to be compared as it stands. There may be more.",
        )
        if rows.empty:
            page.nothing("The list of breaks is not built yet: run `nh run FOLDER`.")
            return
    page.table(
        rows.assign(kind=rows["kind"].map(BREAKS)),
        {
            "first_day": Column("From", "date"),
            "series": Column("Figures"),
            "what": Column("What is otherwise from then on"),
            "kind": Column("Kind"),
            "source": Column("Source"),
        },
        name="series-breaks" if until is None else f"series-breaks-{until}",
        source=f"{words.count(len(rows), 'break')} · gold.series_breaks of this lake",
    )


def previous(ask: Ask, release: date) -> date | None:
    """The release that another one is compared with."""
    found = ask("select max(previous_release) as day from gold.changes where release = ?", release)["day"]
    return None if found.isna().all() else found.iloc[0].date()


def _chosen(release: date, kinds: Collection[str], states: Collection[str]) -> tuple[str, list[Any], str]:
    """A condition on ``gold.changes as c``, the values of its ``?``, and what it leaves, in words."""
    parts: list[str] = ["c.release = ?"]
    values: list[Any] = [release]
    wanted = [name for kind in kinds for name in GROUPS[kind]]
    for column, chosen in (("c.what", wanted), ("c.state", list(states))):
        if chosen:
            parts.append(f"{column} in ({', '.join('?' * len(chosen))})")
            values += chosen
    told = [", ".join(kinds) or "all kinds", ", ".join(map(words.state, states)) or "all states"]
    return " and ".join(parts), values, " · ".join(told)
