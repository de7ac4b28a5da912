"""CMS's figures computed again from CMS's own files: how they come out, by release, by rule, and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, words
from dashboard.page import Column, Figure, Proof
from nh_pipeline.marts.reconciliation.figure import VERDICTS

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

MOST_ROWS = 5_000

ALL = "All releases"
COMPARED = {
    "equal": "Equal",
    "rounding": "Equal within rounding",
    "explained": "Older or other figures of CMS",
    "apart": "Cannot be compared",
    "mismatch": "Different",
}
"""Verdicts of :data:`VERDICTS`, put together for people."""

_COUNTS = """
    cast(sum(n) as bigint) as n, cast(sum(equal) as bigint) as equal, cast(sum(rounding) as bigint) as rounding,
    cast(sum(held + revised_release + series_of_another_quarter) as bigint) as explained,
    cast(sum(suppressed + input_missing) as bigint) as apart, cast(sum(mismatch) as bigint) as mismatch
"""
_LEVELS = {"facility": "homes", "chain": "chains", "state": "states", "nation": "nation"}


def releases(ask: Ask) -> dict[str, date | None]:
    """Releases with figures that were computed again, the newest first, behind all of them."""
    found = ask("select distinct release from gold.reconciliation_summary order by release desc")
    return {ALL: None, **{words.day(day): day.date() for day in found["release"]}}


def reconciled(page: Page, ask: Ask, release: date | None = None) -> None:
    """How CMS's figures come out when they are computed again."""
    page.section(
        "Do CMS's own files give CMS's figures?",
        "Much of what CMS publishes follows from other files that it publishes. Each such figure of each home, chain, "
        "state and the nation is computed again from them, and put beside CMS's. Where both agree, the daily hours, "
        "citations and penalties of this lake are the ones that CMS used. A difference is no proof of a mistake: it "
        "may be CMS's, ours, or a file that is not here.",
    )
    rows = ask(f"select release, {_COUNTS} from gold.reconciliation_summary group by release order by release")
    if rows.empty:
        page.nothing("No figure of CMS was computed again yet: it takes a release and the files that it was made of.")
        return
    chosen = rows if release is None else rows[rows["release"] == pd.Timestamp(release)]
    total = chosen[["n", *COMPARED]].sum().astype(int)
    same, could = int(total["equal"] + total["rounding"]), int(total["n"] - total["apart"])
    of = words.day(release) if release else f"{words.count(len(rows), 'release')} of this lake"
    page.figures(
        [
            Figure("Figures of CMS computed again", f"{total['n']:,}", of),
            Figure("Equal, or equal within rounding", words.share(same / could if could else None, 2),
                   f"{same:,} of {could:,} that could be compared · {of}",
                   proof=Proof("all agree" if same == could else f"{could - same:,} do not", agrees=same == could)),
            Figure("Older or other figures of CMS", f"{total['explained']:,}",
                   f"held back on purpose, of the release before, or of another quarter · {of}"),
            Figure("Cannot be compared", f"{total['apart']:,}", f"blank at CMS, or a file is not here · {of}"),
            Figure("Different", f"{total['mismatch']:,}", f"none of these: listed below · {of}"),
        ]
    )  # fmt: skip
    data = charts.long(chosen.assign(day=chosen["release"].map(words.day)), "day", COMPARED)
    data["order"] = data["series"].map({told: i for i, told in enumerate(COMPARED.values())})
    page.chart(
        alt.Chart(data, height=alt.Step(26))
        .mark_bar()
        .encode(
            y=alt.Y("day:N", sort=None, title=None, axis=alt.Axis(labelLimit=160)),
            x=alt.X("value:Q", stack="normalize", title="share of the figures", axis=alt.Axis(format="%")),
            color=alt.Color("series:N", title=None, scale=alt.Scale(domain=list(COMPARED.values())),
                            legend=alt.Legend(orient="top", labelLimit=260, columns=charts.FITTING)),
            order="order:Q",
            tooltip=[alt.Tooltip("day:N", title="Release"), "series:N", alt.Tooltip("value:Q", format=",", title="n")],
        ),
        name="reconciliation",
        alt=f"{same:,} of {could:,} figures that could be compared agree; {total['mismatch']:,} are different.",
        source=f"{words.count(int(total['n']), 'figure')} · {of} · gold.reconciliation_summary",
        data=chosen,
    )  # fmt: skip


def rules(page: Page, ask: Ask, release: date | None = None) -> None:
    """Rule by rule: what is computed, how, and how it came out."""
    where, values = _of(release)
    rows = ask(
        f"select published, formula, level, {_COUNTS}, max(worst) as worst, "
        "case when sum(case when holds then 0 else 1 end) = 0 then 'yes' else 'no' end as holds "
        f"from gold.reconciliation_summary as r where {where} group by published, formula, level, rule "
        "order by mismatch desc, published, level",
        *values,
    )
    if rows.empty:
        return
    broken = int((rows["holds"] == "no").sum())
    page.section(
        "Rule by rule",
        "A rule is one figure of CMS and the way to it. It holds if no more figures are different than is known of it.",
    )
    page.text(
        f"{words.count(len(rows) - broken, 'rule holds', 'rules hold')}, {words.count(broken, 'does', 'do')} not."
    )
    page.table(
        rows.assign(level=rows["level"].map(_LEVELS)),
        {
            "published": Column("CMS's file and column"),
            "formula": Column("Computed as"),
            "level": Column("Of"),
            "n": Column("Figures", "count"),
            "equal": Column("Equal", "count", VERDICTS["equal"]),
            "rounding": Column("Rounding", "count", VERDICTS["rounding"]),
            "explained": Column("Older or other", "count", "CMS keeps an older value, or it is of another release or "
                                "quarter"),
            "apart": Column("Not comparable", "count", "CMS leaves it blank, or a file is not here"),
            "mismatch": Column("Different", "count"),
            "worst": Column("Worst", "number", "Greatest difference"),
            "holds": Column("Holds"),
        },
        name="rules",
        source=f"{words.count(len(rows), 'rule')} · {words.day(release) if release else ALL.lower()} "
        "· gold.reconciliation_summary; how each is computed: docs/reconciliation.md",
    )  # fmt: skip


def different(page: Page, ask: Ask, release: date | None = None) -> None:
    """The figures that are different, one by one; and why others cannot be compared."""
    where, values = _of(release)
    rows = ask(
        f"""
        select r.release, r.level, r.entity, p.provider_name, s.published, r.ours, r.theirs, r.difference, r.note,
            count(*) over () as n
        from gold.reconciliation as r
        join gold.reconciliation_summary as s on s.release = r.release and s.rule = r.rule and s.level = r.level
        left join silver.dim_providers as p on p.provider_id = r.entity and p.is_current and r.level = 'facility'
        where r.verdict = 'mismatch' and {where} order by r.release desc, s.published, r.entity limit {MOST_ROWS}
        """,
        *values,
    )
    page.section("Figures that are different", "Look at what was delivered before calling one of them wrong.")
    if rows.empty:
        page.text("None.")
    else:
        n = int(rows["n"].iloc[0])
        page.table(
            rows.assign(level=rows["level"].map(_LEVELS)),
            {
                "release": Column("Release", "date"),
                "entity": Column("CCN, chain or state"),
                "provider_name": Column("Home"),
                "published": Column("CMS's file and column"),
                "ours": Column("Computed", "number"),
                "theirs": Column("CMS", "number"),
                "difference": Column("Difference", "number"),
                "note": Column("Remark"),
            },
            name="different-figures",
            source=words.count(n, "figure") + (f", the first {MOST_ROWS:,} shown" if n > MOST_ROWS else "")
            + " · gold.reconciliation",
        )  # fmt: skip
    apart = ask(
        "select s.published, r.verdict, r.note, count(*) as n from gold.reconciliation as r "
        "join gold.reconciliation_summary as s on s.release = r.release and s.rule = r.rule and s.level = r.level "
        f"where r.verdict not in ('equal', 'rounding', 'mismatch') and {where} group by 1, 2, 3 order by n desc, 1, 2",
        *values,
    )
    if apart.empty:
        return
    page.section("What could not be compared, or is another figure on purpose", "And why.")
    page.table(
        apart.assign(why=apart["verdict"].map(VERDICTS)),
        {
            "published": Column("CMS's file and column"),
            "why": Column("Why"),
            "note": Column("Remark"),
            "n": Column("Figures", "count"),
        },
        name="not-compared",
        source=f"{words.count(int(apart['n'].sum()), 'figure')} · gold.reconciliation",
    )


def _of(release: date | None) -> tuple[str, tuple[date, ...]]:
    """A condition on ``r``."""
    return ("r.release = ?", (release,)) if release else ("r.release is not null", ())
