"""The raw zone: deliveries are recognised by content, downloaded, verified and kept with a manifest."""

from __future__ import annotations

from nh_pipeline.landing.coverage import Coverage
from nh_pipeline.landing.manifest import Archive, Delivery, Manifest, Quarantined
from nh_pipeline.landing.recognise import CutOff, Recognition, Unrecognised
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.zone import Landed, LandingError, RawZone

__all__ = [
    "Archive",
    "Coverage",
    "CutOff",
    "Delivery",
    "Landed",
    "LandingError",
    "Manifest",
    "Quarantined",
    "RawZone",
    "Recognition",
    "Refused",
    "Unrecognised",
]
