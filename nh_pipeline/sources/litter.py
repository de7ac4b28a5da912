"""Files that are no deliveries by their names, the same for every source and for archives.

What belongs here: what operating systems and programs leave behind, and what is still being written. Nothing else is
told by a name.
"""

from __future__ import annotations

import re

PARTIAL = "it is still being written, by its name: it is taken when it has its own"
"""Why a partial file is left out."""

_LITTER = re.compile(
    r"\..*"  # .DS_Store, ._name, .~lock.name#, .nfs0001
    r"|__MACOSX|Thumbs\.db|ehthumbs(_vista)?\.db|desktop\.ini|Icon\r|\$RECYCLE\.BIN|System Volume Information"
    r"|lost\+found|@eaDir|#recycle"
    r"|~\$.*|~WRL.*\.tmp"  # Office's locks
    r"|.*~|#.*#|.*\.sw[opx]",  # editors' backups
    re.IGNORECASE | re.DOTALL,
)
_PARTIAL = re.compile(
    r".*(\.(partial|part|filepart|crdownload|opdownload|download|fdmdownload|dtapart|aria2|tmp|temp|!ut|bc!|icloud)"
    r"|\.(part|partial|gstmp)[0-9_.-]*|_\.gstmp)"
    r"|Unconfirmed .*|\.com\.google\.Chrome\..*",
    re.IGNORECASE | re.DOTALL,
)


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name (no path) is an operating system's or a program's own."""
    return _LITTER.fullmatch(name) is not None


def is_partial(name: str) -> bool:
    """Whether browsers and copy tools call a file so while it is being written."""
    return _PARTIAL.fullmatch(name) is not None
