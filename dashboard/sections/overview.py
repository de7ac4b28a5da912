"""The nation, or whatever is chosen, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, words
from dashboard.filters import before, is_quarter
from dashboard.page import Column, Figure, Proof
from dashboard.sections import staffing
from dashboard.sections.staffing import MEASURES, SOURCE
from nh_pipeline.marts.changes import WHAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.filters import Filters
    from dashboard.page import Page

MOST_CHANGES = 8
_CHANGES = {**WHAT, "listed": "listed by CMS, or no longer"}
_STARS = ("overall_rating", "health_inspection_rating", "staffing_rating", "qm_rating")


def at_a_glance(page: Page, ask: Ask, filters: Filters) -> None:
    """Hours per resident day, contract staff, weekends and days with few registered nurses, and the period before."""
    now = staffing.pooled(ask, filters)
    if now.empty or not now["resident_days"].iloc[0]:
        page.nothing(f"No staffing in this lake for {filters.told}. Choose other days or fewer filters.")
        return
    row, earlier, period = now.iloc[0], before(filters), f"{filters.told} · {SOURCE}"
    change = _against(row, staffing.pooled(ask, earlier), words.period(earlier.start, earlier.end))
    of = f"{words.count(row['homes'], 'home')}, {words.count(row['resident_days'], 'resident-day')} · {period}"
    days = f"of {row['days_counted']:,} days with residents · {period}"
    weekend = (
        f"{words.number(row['hprd_weekend'])} hours per resident day on Saturdays and Sundays, "
        f"{words.number(row['hprd_weekday'])} on other days · {of}"
    )
    notes = {
        "hprd_total": ("Nurse hours per resident day, all homes pooled", of),
        "mean_hprd_total": (
            "Nurse hours per resident day, mean of homes",
            f"{words.count(row['n'], 'home')}, each counting once, as CMS averages · {period}",
        ),
        "hprd_rn": ("Registered nurses, hours per resident day, pooled", of),
        "contract_share": (
            "Hours of contract staff",
            f"of {words.count(round(row['total_hours']), 'hour')} · {period}",
        ),
        "weekend_ratio": ("Weekends against weekdays, hours per resident day", weekend),
        "no_rn_share": ("Days with no registered nurse", f"{words.count(row['days_no_rn'], 'day')} {days}"),
        "rn_under_8h_share": (
            "Days below 8 hours of registered nurses",
            f"{words.count(row['days_rn_under_8h'], 'day')} {days}",
        ),
    }
    proofs = {"mean_hprd_total": _published(ask, filters, row["mean_hprd_total"])}
    page.figures(
        [
            Figure(label, MEASURES[name.removeprefix("mean_")].told(row[name]), note, change(name), proofs.get(name))
            for name, (label, note) in notes.items()
            if name != "weekend_ratio" or filters.days == "all"  # else there is nothing to hold them against
        ]
    )


def over_time(page: Page, ask: Ask, filters: Filters) -> None:
    """Hours per resident day, and the share of contract staff, of each week or month of the period."""
    every, step = staffing.over_time(ask, filters), staffing.step(filters)
    rows = staffing.comparable(every)
    if rows.empty:
        return
    left_out = len(every) - len(rows)
    note = f"By {step}, hours and residents summed up first. {filters.told}."
    if left_out:
        note += f" {words.count(left_out, step)} with less than a tenth of the homes of the fullest one left out."
    page.section("Staffing over time", note)
    hours, contract = page.beside(2)
    first, last = rows.iloc[0], rows.iloc[-1]
    hours.chart(
        charts.stacked(rows, "part", title=words.HPRD),
        name="hours-per-resident-day",
        alt=f"From {words.number(first['hprd_total'])} to {words.number(last['hprd_total'])} nurse hours per resident "
        f"day between the first and the last {step}.",
        source=f"{SOURCE} · {filters.told}",
        data=rows,
    )
    label = "Contract staff, share of hours"
    contract.chart(
        charts.lines(rows, "part", {"contract_share": label}, title=label, form=MEASURES["contract_share"].form),
        name="contract-share",
        alt=f"Contract staff worked {words.share(first['contract_share'])} of hours in the first and "
        f"{words.share(last['contract_share'])} in the last {step}.",
        source=f"{SOURCE} · {filters.told}",
        data=rows[["part", "homes", "contract_hours", "total_hours", "contract_share"]],
    )


def changed(page: Page, ask: Ask, states: tuple[str, ...] = ()) -> None:
    """What the newest release says otherwise than the one before it: homes by what changed."""
    some = f"and state in ({', '.join('?' * len(states))})" if states else ""
    up = " + ".join(f"case when what = '{s}' and after > before then 1 else 0 end" for s in _STARS)
    down = " + ".join(f"case when what = '{s}' and after < before then 1 else 0 end" for s in _STARS)
    found = ask(
        "select what, max(release) as release, max(previous_release) as previous_release, count(*) as homes, "
        f"cast(sum({up}) as bigint) as up, cast(sum({down}) as bigint) as down from gold.changes "
        f"where release = (select max(release) from gold.changes) {some} group by what order by homes desc, what",
        *states,
    )
    if found.empty:
        return
    release, previous = (words.day(found[c].iloc[0]) for c in ("release", "previous_release"))
    where = f" Homes of {', '.join(map(words.state, states))}." if states else ""
    page.section(
        "What changed in the newest release",
        f"{release}, against {previous}.{where} Each home and each change: on the page What changed.",
    )
    shown = found.head(MOST_CHANGES).assign(
        what=found["what"].map(lambda what: _CHANGES[what][0].upper() + _CHANGES[what][1:]),
        how=[
            f"{row.up:,} have more stars, {row.down:,} fewer" if row.what in _STARS else ""
            for row in found.itertuples()
        ][:MOST_CHANGES],
    )
    page.table(
        shown,
        {"what": Column("What"), "homes": Column("Homes", "count"), "how": Column("Of them")},
        name="changes-of-the-newest-release",
        source=f"CMS, Provider Information of {release} and {previous}",
    )


def freshness(page: Page, ask: Ask, last: date) -> None:
    """Until when there is what: the newest day of staffing, the newest release of Provider Information."""
    release = ask("select max(release) as release from silver.fct_provider_releases")["release"].iloc[0]
    page.section("How fresh is it?", "CMS publishes the days of a quarter about four months after its end.")
    page.figures(
        [
            Figure("Newest day of staffing", words.day(last), SOURCE),
            Figure("Newest release", words.day(release), "CMS, Provider Information (Processing Date)"),
        ]
    )


def reconciled(page: Page, ask: Ask) -> None:
    """How many figures of CMS were computed again from its own files, and how many came out equal."""
    sums = ", ".join(
        f"cast(sum({sql}) as bigint) as {name}"
        for name, sql in {
            "n": "n - suppressed - input_missing",
            "same": "equal + rounding",
            "held": "held",
            "elsewhere": "revised_release + series_of_another_quarter",
            "other": "mismatch",
            "blank": "suppressed",
            "missing": "input_missing",
        }.items()
    )
    found = ask(f"select {sums} from gold.reconciliation_summary").iloc[0].fillna(0).astype(int)
    if not found["n"] + found["missing"]:
        return
    page.section(
        "Can these figures be trusted?", "Much of what CMS publishes can be computed again from its own files."
    )
    aside = {
        "held": "CMS keeps from before on purpose",
        "elsewhere": "are of another release or quarter",
        "missing": "more need a file that is not in this lake",
        "blank": "more CMS leaves blank",
    }
    told = [f"{found[name]:,} {words}" for name, words in aside.items() if found[name]]
    differ = f"{found['other']:,} differ" if found["other"] else "none differs"
    page.figures(
        [
            Figure(
                "CMS's figures that can be computed again",
                f"{found['n']:,}",
                " · ".join(["all releases of this lake", *told, "see the page Trust"]),
                proof=Proof(f"{found['same']:,} equal, {differ}", agrees=not found["other"]) if found["n"] else None,
            )
        ]
    )


def _published(ask: Ask, filters: Filters, ours: float) -> Proof | None:
    """CMS's own mean of the same homes and quarter. It leaves out homes whose hours it does not believe."""
    place = filters.states or ("NATION",)
    if not (is_quarter(filters) and filters.of_months and len(place) == 1):
        return None
    found = ask(
        "select release, cast(reported_total_hprd as double) as value from silver.fct_state_averages "
        "where state_or_nation = ? and reported_total_hprd is not null and release = "
        "(select min(reported_release) from gold.facility_quarter where quarter_start = ?)",
        *place,
        filters.start,
    )
    if found.empty:
        return None
    told = words.number(found["value"].iloc[0])
    agrees = True if told == words.number(ours) else None
    return Proof(f"CMS: {told} ({words.day(found['release'].iloc[0])})", agrees)


def _against(row: pd.Series, earlier: pd.DataFrame, period: str) -> Callable[[str], str]:
    """What to say of a measure beside the period before, if most of its days are there."""
    if earlier.empty or earlier["days"].iloc[0] < row["days"] * 0.8:
        return lambda _: ""
    past = earlier.iloc[0]
    return lambda name: f"{MEASURES[name.removeprefix('mean_')].told(past[name])} in {period}"
