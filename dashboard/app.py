"""The dashboard's entry: ``nh dashboard``, or ``streamlit run dashboard/app.py``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import lake
from dashboard.opening import printing
from dashboard.pages import PAGES
from nh_pipeline.errors import LakeError, told
from nh_pipeline.queries.open import QueryError

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

EMPTY = (
    "This lake has no tables yet. Land CMS files and build the tables with `nh run FOLDER`, or try it with generated "
    "deliveries: `make demo`. The page shows them as soon as they are there."
)


def main() -> None:
    """Shows one page; what cannot be had is told in a sentence."""
    icon = str(Path(__file__).with_name("icon.svg"))
    st.set_page_config(page_title="Nursing-home staffing", page_icon=icon, layout="wide")
    listed: dict[str, list[StreamlitPage]] = {}
    for p in PAGES:
        shown = st.Page(p.script, title=p.title, icon=p.icon, default=p is PAGES[0])
        listed.setdefault(p.menu, []).append(shown)
    page = st.navigation(listed, position="hidden" if printing() else "top")
    try:
        if lake.version():
            page.run()
        else:
            st.info(EMPTY)
    except Exception as error:  # whoever reads this is no developer: the log has the rest
        logging.getLogger("dashboard").exception("%s could not be shown", page.title)
        known = told(error) or (str(error) if isinstance(error, (QueryError, LakeError)) else "")
        st.error(known or f"{page.title} could not be shown. The dashboard's log says why; other pages may work.")


main()
