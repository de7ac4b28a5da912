"""What a diagnosis is about: a chapter of ICD-10-CM, by ranges of its codes; SNOMED CT by a table of codes."""

from __future__ import annotations

from nh_pipeline.datasets.clinical.care import ICD_10, SNOMED

NONE, UNMAPPED = "No diagnosis", "Unmapped"

_CHAPTERS = (
    ("C00", "Infections"),
    ("D50", "Cancer"),
    ("E00", "Blood"),
    ("F00", "Endocrine and metabolic"),
    ("G00", "Mental health"),
    ("H00", "Nervous system"),
    ("H60", "Eye"),
    ("I00", "Ear"),
    ("J00", "Circulatory"),
    ("K00", "Respiratory"),
    ("L00", "Digestive"),
    ("M00", "Skin"),
    ("N00", "Musculoskeletal"),
    ("O00", "Genitourinary"),
    ("P00", "Pregnancy"),
    ("Q00", "Perinatal"),
    ("R00", "Congenital"),
    ("S00", "Symptoms"),
    ("U00", "Injury"),
    ("V00", "Special purposes"),
    ("Z00", "External causes"),
    ("[", "Health status and contacts"),
)
"""The first code that is behind a chapter, and the chapter; in order."""

_SNOMED = {
    "Infections": "91302008 840539006 840544004",
    "Cancer": "109838007 162573006 254637007 254837009 424132000",
    "Blood": "271737000",
    "Endocrine and metabolic": (
        "15777000 44054006 55822004 80394007 90781000119102 157141000119108 162864005 237602007 302870006 408512008 "
        "422034002 368581000119106"
    ),
    "Mental health": "7200002 73595000 80583007 192127007 361055000 10939881000119105",
    "Nervous system": ("26929004 39898005 78275009 82423001 84757009 128613002 703151001 698754002 124171000119105"),
    "Ear": "65363002",
    "Circulatory": (
        "22298006 38341003 48724000 49436004 53741008 59621000 84114007 88805009 95281009 230690007 399211009 "
        "399261000 410429000 414545008 429007001 42343007"
    ),
    "Respiratory": (
        "10509002 13645005 36971009 40055000 43878008 75498004 87433001 185086009 195662009 195967001 232353008 "
        "233604007 233678006 367498001 444814009 446096008"
    ),
    "Digestive": "47693006 68496003 74400008 196416002 428251008 713197008",
    "Skin": "24079001",
    "Musculoskeletal": (
        "57676002 64859006 68962001 69896004 95417003 201834006 239872002 239873007 278860009 443165006 1121000119107"
    ),
    "Genitourinary": (
        "38822007 46177005 127013003 161665007 197927001 301011002 431855005 431856006 431857002 433144002 698306007"
    ),
    "Pregnancy": "19169002 72892002 79586000 156073000 198992004 398254007 609496007",
    "Symptoms": "43724002 49727002 56018004 84229001 267036007 274531002 386661006",
    "Injury": (
        "16114001 30832001 33737001 39848009 44465007 55680006 58150001 62106007 62564004 65966004 70704007 241929008 "
        "263102004 275272006 283371005 283385000 284549007 284551006 307731004 359817006 370247008 403190006 403191005 "
        "444448004 444470001"
    ),
    "Health status and contacts": (
        "105531004 160903007 160904001 160968000 183996000 224295006 224299000 266934004 266948004 267020005 422650009 "
        "423315002 424393004 449868002 706893006 713458007 741062008 5251000175109"
    ),
}

CATEGORIES = (*dict(_CHAPTERS).values(), NONE, UNMAPPED)
"""Every category."""


def diagnosis_category(system: str, code: str) -> str:
    """SQL for the category of a code in its system; both are SQL, too."""
    chapters = " ".join(f"when {code} < '{behind}' then '{chapter}'" for behind, chapter in _CHAPTERS)
    listed = " ".join(
        f"when {code} in ({', '.join(repr(c) for c in codes.split())}) then '{category}'"
        for category, codes in _SNOMED.items()
    )
    return (
        f"case when {code} is null then '{NONE}' "
        f"when {system} = '{SNOMED}' then case {listed} else '{UNMAPPED}' end "
        f"when {system} = '{ICD_10}' and {code} rlike '^[A-Z][0-9]' then case {chapters} end "
        f"else '{UNMAPPED}' end"
    )
