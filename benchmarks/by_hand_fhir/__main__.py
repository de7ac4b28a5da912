"""``python -m benchmarks.by_hand_fhir ZIP OUT`` prints seconds of wall and of CPU per layer as JSON."""

from __future__ import annotations

import sys

from benchmarks.by_hand_fhir.build import build
from benchmarks.clock import told

told(build, *sys.argv[1:])
