"""The product with few marts, for tests of runs, faults and daemons: they build many lakes, and marts are alike.

Run as a module, it is ``nh`` with these marts alone.
"""

from __future__ import annotations

from nh_pipeline import marts
from nh_pipeline.marts import facility_measures, facility_month

EVERY = marts.MARTS
FEW = (facility_measures.MART, facility_month.MART)


if __name__ == "__main__":
    marts.MARTS = FEW
    from nh_pipeline.cli.main import main

    main()
