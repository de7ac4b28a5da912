"""What the outcomes of treatments mean. Words that are no key here are ``unknown``, and counted as such."""

from __future__ import annotations

OUTCOMES = {
    "success": ("success", "successful", "succeeded", "cured", "recovered", "resolved", "improved", "effective"),
    "failure": (
        "failure", "failed", "unsuccessful", "not cured", "not recovered", "not improved", "ineffective", "worsened",
        "deceased", "died",
    ),
    "open": (
        "open", "ongoing", "on going", "in progress", "in treatment", "under treatment", "pending", "planned",
        "scheduled", "active", "not started",
    ),
}  # fmt: skip
"""Statuses in small letters, with one blank between words."""

UNKNOWN = "unknown"

OUTCOME_CLASSES = (*OUTCOMES, UNKNOWN)


def folded(column: str) -> str:
    """SQL for text in small letters and digits, with one blank between its words; NULL if nothing is left."""
    return f"nullif(trim(regexp_replace(lower({column}), '[^a-z0-9]+', ' ')), '')"


def outcome_class(status: str, completed_at: str) -> str:
    """SQL for what a status means; a treatment that has none and is not over is open."""
    of_status = " ".join(
        f"when {folded(status)} in ({', '.join(repr(word) for word in words)}) then '{name}'"
        for name, words in OUTCOMES.items()
    )
    return f"case {of_status} when {folded(status)} is null and {completed_at} is null then 'open' else '{UNKNOWN}' end"
