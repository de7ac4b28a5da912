"""Word lists of the fictional world: facilities, places, owners. Any likeness to a real one is chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STATES = (
    "AL:01:22 AK:02:2 AZ:03:14 AR:04:21 CA:05:117 CO:06:21 CT:07:20 DE:08:4 DC:09:2 FL:10:70 GA:11:36 HI:12:4 "
    "ID:13:8 IL:14:68 IN:15:51 IA:16:41 KS:17:30 KY:18:27 LA:19:26 ME:20:8 MD:21:22 MA:22:35 MI:23:42 MN:24:35 "
    "MS:25:20 MO:26:49 MT:27:6 NE:28:18 NV:29:7 NH:30:7 NJ:31:35 NM:32:7 NY:33:60 NC:34:42 ND:35:7 OH:36:92 "
    "OK:37:28 OR:38:13 PA:39:66 PR:40:1 RI:41:7 SC:42:19 SD:43:10 TN:44:31 TX:45:117 UT:46:10 VT:47:3 VA:49:28 "
    "WA:50:19 WV:51:12 WI:52:32 WY:53:3"
)
STATES: Mapping[str, tuple[str, int]] = {
    name: (code, int(weight)) for name, code, weight in (entry.split(":") for entry in _STATES.split())
}
"""State to the first two digits of its certification numbers, and its weight in the nation."""

_FIRST = (
    "AMBERWICK BRAMBLETHORN CINDERVALE DAPPLEMERE EVENFALL FERNWHISTLE GOSSAMER HOLLOWBROOK INKBERRY JUNIPERDALE "
    "KESTRELWOOD LANTERNHILL MOSSGROVE NETTLEFORD OAKENSHADE PEBBLEWAY QUILLMONT ROSEWATER SABLECREST THISTLEDOWN "
    "UMBERFIELD VELVETGLEN WILLOWMARK YARROWGATE ZEPHYRPOINT BLUEFINCH COPPERLEAF DUSKHAVEN EMBERLY FOXTROT"
)
_SECOND = (
    "MEADOWS TERRACE GARDENS HEIGHTS COMMONS LANDING POINTE VIEW SPRINGS CROSSING TRACE ORCHARD HARBOR ARBOR SQUARE"
)
_KIND = (
    "CARE CENTER|NURSING & REHAB|HEALTH CENTER, INC.|NURSING HOME|REHABILITATION AND HEALTHCARE|SKILLED NURSING, LLC|"
    "CONVALESCENT HOME|LIVING CENTER|HEALTH AND WELLNESS|CARE AND REHABILITATION, THE|MANOR|HEALTHCARE CENTER"
)
FIRST_WORDS = _words(_FIRST)
SECOND_WORDS = _words(_SECOND)
KINDS = tuple(_KIND.split("|"))

TOWN_STARTS = _words("ALDER BRINE CROW DUN ELM FALLOW GRAY HART IVY KETTLE LARK MILL NORTH OTTER PINE RAVEN")
TOWN_ENDS = _words("BRIDGE BURY DALE FIELD FORD HAVEN HURST MERE MONT PORT STEAD TON VALE WICK")
COUNTIES = _words("Alderley Brightwater Coldstream Dovecote Elmsworth Fairlight Greywell Halcyon Larkspur Merrow")
STREETS = _words("LANTERN FINCH CEDARBARK MILLRACE SUNDIAL COBBLE HARVEST TEASEL ORIOLE BEACON")
STREET_KINDS = ("STREET", "AVENUE", "ROAD", "DRIVE, SUITE 100", "LANE")
CHAINS = tuple(
    f"{name} {kind}"
    for kind in ("HEALTH GROUP", "SENIOR CARE", "COMMUNITIES")
    for name in ("NORTHGLASS", "TALLOWMERE", "SILVERTHATCH", "BROOKLANTERN", "WREN & ASH", "HIGHHOLLOW", "SEVENOAKEN")
)
OWNERSHIPS = (
    "For profit - Corporation",
    "For profit - Limited Liability company",
    "Non profit - Corporation",
    "For profit - Individual",
    "For profit - Partnership",
    "Government - County",
    "Non profit - Church related",
    "Government - Hospital district",
)
OWNERSHIP_WEIGHTS = (0.37, 0.30, 0.18, 0.05, 0.03, 0.03, 0.02, 0.02)
