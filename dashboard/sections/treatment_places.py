"""Where treatments took place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, few, words
from dashboard.page import Column
from dashboard.sections.treatments import PATIENTS
from nh_pipeline.marts.treatments.shared import UNKNOWN_NAME

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page

MOST = 25
"""Cities that are drawn."""

EVERY = "All"

_TOLD = ("treatments", "n", "share")
_NAMES = ", ".join(f"coalesce(l.{name}, '{UNKNOWN_NAME}') as {name}" for name in ("country", "state", "city"))


def places(ask: Ask) -> pd.DataFrame:
    """Countries with their states."""
    return ask(
        "select distinct country, state from treatments_gold.summary_total_treatments_per_city order by country, state"
    )


def cities(page: Page, ask: Ask, country: str = EVERY, state: str = EVERY) -> None:
    """Cities by treatments, and their share of all. There is no sum of a state: it would tell what is kept back."""
    rows = ask(
        f"with w as (select {_NAMES}, {PATIENTS} as patients from treatments_gold.fact_treatments as f "
        "join treatments_gold.dim_locations as l on l.location_sk = f.location_sk group by 1, 2, 3) "
        "select g.country, g.state, g.city, g.total_treatments as treatments, g.share, w.patients "
        "from treatments_gold.geographical_treatment_distribution as g left join w on w.country = g.country "
        "and w.state = g.state and w.city = g.city order by treatments desc, 1, 2, 3"
    )
    place = rows["city"] + ", " + rows["state"]
    rows = rows.assign(place=place.mask(place.duplicated(keep=False), place + ", " + rows["country"]))
    shown = few.guarded(rows.assign(n=rows["treatments"]), {"patients": _TOLD, "treatments": _TOLD[1:]})
    for column, value in (("country", country), ("state", state)):
        shown = shown[(shown[column] == value) | (value == EVERY)]
    page.section("Where they took place", "The share is of all treatments, wherever they took place.")
    if shown.empty:
        page.nothing("No treatment took place there. Choose another country or state.")
        return
    source = f"treatments_gold.geographical_treatment_distribution · {few.KEPT_BACK}"
    drawn = shown.dropna(subset="share").head(MOST)
    if not drawn.empty:
        page.chart(
            charts.bars(drawn, "place", "n", title="Treatments", form=",.0f"),
            name="treatments-by-city",
            alt=f"Treatments by city; most: {drawn['place'].iloc[0]}, {words.share(drawn['share'].iloc[0])} of all.",
            source=source if len(drawn) < MOST else f"the first {len(drawn)} of {len(shown):,} cities · {source}",
            data=drawn[["country", "state", "city", "n", "share"]],
        )
    page.table(
        shown,
        {
            "country": Column("Country"),
            "state": Column("State"),
            "city": Column("City"),
            "treatments": Column("Treatments", "people"),
            "share": Column("Share", "share"),
            "patients": Column("Patients", "people"),
        },
        name="cities-of-treatments",
        source=source,
    )
