"""The pages of the dashboard, in the order of its navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nh_pipeline.domains import selected

if TYPE_CHECKING:
    from collections.abc import Collection


class Listed(NamedTuple):
    """A page: its script, whose name is its address, its title and its icon.

    Attributes:
        domains: those whose tables it shows.
        menu: the menu that it is in; none if it stands in the bar itself.
    """

    script: str
    title: str
    icon: str
    domains: frozenset[str] = frozenset({"cms"})
    menu: str = ""


OWN_RECORDS = "Own records"

_CLINICAL = frozenset({"clinical"})
EVERY = (
    Listed("views/overview.py", "Overview", ":material/home:"),
    Listed("views/states.py", "States", ":material/map:"),
    Listed("views/facility.py", "Facility", ":material/apartment:"),
    Listed("views/chains.py", "Chains and ownership", ":material/account_tree:"),
    Listed("views/relations.py", "Staffing and quality", ":material/scatter_plot:"),
    Listed("views/changes.py", "What changed", ":material/history:"),
    Listed("views/trust.py", "Trust", ":material/verified:"),
    Listed("views/outcomes.py", "Outcomes", ":material/local_hospital:", _CLINICAL | {"cms"}, OWN_RECORDS),
    Listed("views/encounters.py", "Encounters and claims", ":material/receipt_long:", _CLINICAL, OWN_RECORDS),
    Listed("views/population.py", "Population", ":material/groups:", _CLINICAL, OWN_RECORDS),
    Listed("views/treatments.py", "Treatments", ":material/healing:", frozenset({"treatments"}), OWN_RECORDS),
)
"""All there are."""


def listed(domains: Collection[str]) -> tuple[Listed, ...]:
    """Those whose domains are selected."""
    return tuple(page for page in EVERY if page.domains <= set(domains))


PAGES = listed(selected())
"""Those of this process."""
