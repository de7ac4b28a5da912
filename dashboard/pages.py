"""The pages of the dashboard, in the order of its navigation."""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A page: its script, whose name is its address, its title and its icon."""

    script: str
    title: str
    icon: str


# Pages of the clinical domain and of treatments come after these, where their tables are.
PAGES = (
    Listed("views/overview.py", "Overview", ":material/home:"),
    Listed("views/states.py", "States", ":material/map:"),
    Listed("views/facility.py", "Facility", ":material/apartment:"),
    Listed("views/chains.py", "Chains and ownership", ":material/account_tree:"),
    Listed("views/relations.py", "Staffing and quality", ":material/scatter_plot:"),
    Listed("views/changes.py", "What changed", ":material/history:"),
    Listed("views/trust.py", "Trust", ":material/verified:"),
)
