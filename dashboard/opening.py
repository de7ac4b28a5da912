"""How a page begins and ends: on screen, or, with ``?print=1`` in its address, as a sheet to print."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import lake
from dashboard.filters import bounds
from dashboard.paper import STYLE, Paper, made
from dashboard.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamlit.delta_generator import DeltaGenerator

    from dashboard.page import Page

# The styles of ours are two. Streamlit's own grey in charts is too faint (WCAG AA); this is the theme's ink, also after
# the theme has changed under an open page.
_INK = """<style>
[data-testid="stVegaLiteChart"] :is(.role-axis, .role-legend, .role-scope, .role-title) text:not(.role-mark text) {
  fill: color-mix(in srgb, currentColor 80%, transparent);
}
</style>"""

# Streamlit's frame has the height of the window, of which print shows one sheet.
_SHEET = f"""<style>
{STYLE}
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"], [data-testid="stExpandSidebarButton"],
[data-testid="stHeader"], [data-testid="stToolbar"], [class*="st-key-controls"] {{ display: none; }}
.stApp, [data-testid="stAppViewContainer"], [data-testid="stMain"], [data-testid="stMainBlockContainer"] {{
  position: static; height: auto; overflow: visible; padding: 0; background: white; color-scheme: light;
}}
@media print {{ .st-key-back {{ display: none; }} }}
</style>"""


def printing() -> bool:
    """Whether the address asks for a sheet."""
    return st.query_params.get("print") == "1"


@contextmanager
def opened() -> Iterator[Page]:
    """What the sections of a page are shown on."""
    if not printing():
        st.html(_INK)
        yield Screen()
        with st.sidebar:
            st.button("Print view", icon=":material/print:", on_click=_turn, args=("1",), width="stretch")
        return
    st.html(_SHEET)
    with st.container(key="back"):
        st.button("Back to the page", icon=":material/arrow_back:", on_click=_turn, args=("",))
    paper = Paper()
    yield paper
    st.html(paper.html(made(bounds(lake.ask), lake.version())))


def controls(page: Page | None = None, name: str = "") -> DeltaGenerator:
    """Where a page has widgets of its own: not on paper. With ``page``, below what it shows so far."""
    at = page.at if isinstance(page, Screen) else st
    return at.container(key=f"controls-{name}" if name else "controls")


def _turn(wanted: str) -> None:
    if wanted:
        st.query_params["print"] = wanted
    else:
        del st.query_params["print"]
