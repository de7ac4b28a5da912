"""``nh run`` that ends where DuckDB by hand does: ``python -m benchmarks.ours_run FOLDER``, into ``NH_HOME``.

All of ``nh run``, with Dagster, events and advisory checks; of the marts, ``facility_measures`` alone is declared.
"""

from __future__ import annotations

import sys

from nh_pipeline import marts
from nh_pipeline.marts import facility_measures


def main(folder: str) -> None:
    """One command, as the shell would give it."""
    marts.MARTS = (facility_measures.MART,)
    from nh_pipeline.cli.main import main as nh

    sys.argv = ["nh", "run", folder]
    nh()


if __name__ == "__main__":
    main(*sys.argv[1:])
