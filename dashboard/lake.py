"""Asking from pages: answers are kept until the lake has another version, so that new data shows without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.asking import frame
from nh_pipeline.queries.open import queries
from nh_pipeline.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from nh_pipeline.queries.open import Queries


@st.cache_resource(show_spinner=False)
def _queries() -> Queries:
    return queries(Settings())


@st.cache_data(ttl=2, max_entries=1, show_spinner=False)
def version() -> str:
    """Of the lake; empty if it has no tables yet."""
    return _queries().version()


@st.cache_data(max_entries=300, show_spinner=False)
def _answer(sql: str, parameters: tuple[Any, ...], version: str) -> pa.Table:  # noqa: ARG001 (part of the key)
    return _queries().query(sql, parameters)


def ask(sql: str, *parameters: Any) -> pd.DataFrame:
    """An answer, from what is kept if the lake has not changed since."""
    return frame(_answer(sql, parameters, version()))
