"""Which kind of payer a name means. Words decide, in this order: a Medicare plan of a private insurer is Medicare."""

from __future__ import annotations

UNMAPPED = "Unmapped"

_WORDS = {
    "Self-Pay": ("no insurance", "self pay", "selfpay", "private pay", "uninsured", "cash"),
    "Dual": ("dual", "dual eligible", "medicare medicaid"),
    "Medicaid": ("medicaid", "medi cal", "chip"),
    "Medicare": ("medicare",),
    "Other Government": (
        "champus", "champva", "ihs", "indian health service", "tricare", "va", "veterans", "government",
    ),
    "Private": (
        "private", "commercial", "aetna", "anthem", "bcbs", "blue cross", "blue shield", "cigna", "humana", "kaiser",
        "united healthcare", "unitedhealthcare",
    ),
    "Other": ("auto", "charity", "liability", "no fault", "other", "workers compensation", "workers comp"),
}  # fmt: skip

PAYER_CATEGORIES = (*_WORDS, UNMAPPED)
"""Every category."""


def folded(name: str) -> str:
    """SQL for a name in small letters and digits, with one blank between its words; NULL if nothing is left."""
    return f"nullif(trim(regexp_replace(lower({name}), '[^a-z0-9]+', ' ')), '')"


def payer_category(name: str) -> str:
    """SQL for the category of a payer's name, which is SQL, too."""
    padded = f"concat(' ', {folded(name)}, ' ')"
    tests = {
        category: " or ".join(f"{padded} like '% {word} %'" for word in words) for category, words in _WORDS.items()
    }
    whens = " ".join(f"when {test} then '{category}'" for category, test in tests.items())
    return f"case {whens} else '{UNMAPPED}' end"
