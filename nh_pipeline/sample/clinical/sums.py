"""Figures that add up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Sums:
    """Figures that are added one by one."""

    def __add__(self, other: Self) -> Self:
        """Both together."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Rate(Sums):
    """Index stays, and those of them that are followed by a readmission within 30 days."""

    index: int = 0
    readmitted: int = 0


NO_STAYS = Rate()


@dataclass(frozen=True)
class EdTruth(Sums):
    """Emergency visits, index visits (without admission), those followed by another within 72 hours and 30 days."""

    visits: int = 0
    index: int = 0
    revisited_72h: int = 0
    revisited_30d: int = 0


NO_VISITS = EdTruth()


@dataclass(frozen=True)
class HomeTruth(Sums):
    """SNF stays that begin in a month, and those of them within 30 days of whose start something happens.

    Attributes:
        snf_admissions: SNF stays.
        rehospitalized_30d: With an acute stay, planned or not.
        ed_30d: With an emergency visit that does not become an admission.
    """

    snf_admissions: int = 0
    rehospitalized_30d: int = 0
    ed_30d: int = 0


@dataclass(frozen=True)
class PayerTruth(Sums):
    """Claims of a category of payers, pharmacy ones among them. Amounts in US dollars.

    Attributes:
        claims: All.
        billed: Σ totals of the claims.
        adjudicated: Claims with an explanation of benefit.
        billed_adjudicated: Σ totals of those.
        paid: Σ paid by the answers that count, each half-up to 4 places.
        zero_paid: Claims on which nothing is paid, though nothing is denied.
        partly_denied: Claims of which some lines are denied.
        denied: Claims of which all lines are denied.
        denied_amount: Σ charges of denied lines.
        ever_denied: Claims wholly denied in some version.
        overturned: Those of them that are paid now.
    """

    claims: int = 0
    billed: Decimal = Decimal(0)
    adjudicated: int = 0
    billed_adjudicated: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    zero_paid: int = 0
    partly_denied: int = 0
    denied: int = 0
    denied_amount: Decimal = Decimal(0)
    ever_denied: int = 0
    overturned: int = 0
