"""Requirements that surveyors cite: some of CMS's tags, with its categories and descriptions."""

from __future__ import annotations

from typing import NamedTuple


class Tag(NamedTuple):
    """A line of CMS's citation code look-up.

    Attributes:
        prefix: F (health), K (fire safety) or E (emergency preparedness, cited in fire safety surveys).
        number: Four digits.
        category: Without the word "Deficiencies" that CMS ends it with.
        description: What the home failed to do.
    """

    prefix: str
    number: str
    category: str
    description: str


ABUSE, CARE = "Freedom from Abuse, Neglect, and Exploitation", "Quality of Life and Care"
RIGHTS, _PLANS = "Resident Rights", "Resident Assessment and Care Planning"
_GAS = "Gas, Vacuum, and Electrical Systems"

SUBSTANDARD_CARE = (ABUSE, CARE)
"""Categories in which a severe citation is substandard quality of care, which costs more points."""

HEALTH_TAGS = (
    Tag("F", "0600", ABUSE, "Protect each resident from all types of abuse such as physical, mental, sexual abuse, "
        "physical punishment, and neglect by anybody."),
    Tag("F", "0684", CARE, "Provide appropriate treatment and care according to orders, resident\u2019s preferences "
        "and goals."),
    Tag("F", "0689", CARE, "Ensure that a nursing home area is free from accident hazards and provides adequate "
        "supervision to prevent accidents."),
    Tag("F", "0584", RIGHTS, "Honor the resident's right to a safe, clean, comfortable and homelike environment, "
        "including but not limited to receiving treatment and supports for daily living safely."),
    Tag("F", "0641", _PLANS, "Ensure each resident receives an accurate assessment."),
    Tag("F", "0725", "Nursing and Physician Services", "Provide enough nursing staff every day to meet the needs of "
        "every resident; and have a licensed nurse in charge on each shift."),
    Tag("F", "0755", "Pharmacy Service", "Provide pharmaceutical services to meet the needs of each resident and "
        "employ or obtain the services of a licensed pharmacist."),
    Tag("F", "0812", "Nutrition and Dietary", "Procure food from sources approved or considered satisfactory and "
        "store, prepare, distribute and serve food in accordance with professional standards."),
    Tag("F", "0835", "Administration", "Administer the facility in a manner that enables it to use its resources "
        "effectively and efficiently."),
    Tag("F", "0880", "Infection Control", "Provide and implement an infection prevention and control program."),
    Tag("F", "0921", "Environmental", "Make sure that the nursing home area is safe, easy to use, clean and "
        "comfortable for residents, staff and the public."),
)  # fmt: skip

FIRE_TAGS = (
    Tag("K", "0281", "Egress", "Install proper backup exit lighting."),
    Tag("K", "0353", "Smoke", "Inspect, test, and maintain automatic sprinkler systems."),
    Tag("K", "0511", "Services", "Have properly installed electrical wiring and gas equipment."),
    Tag("K", "0712", "Miscellaneous", "Have simulated fire drills held at unexpected times."),
    Tag("K", "0920", _GAS, "Ensure proper usage of power strips and extension cords."),
    Tag("E", "0004", "Emergency Preparedness", "Develop and maintain an Emergency Preparedness Program (EP)."),
    Tag("E", "0039", "Emergency Preparedness", "Conduct testing and exercise requirements."),
)  # fmt: skip
"""Of both a prime number, so that tags drawn with a fixed step do not repeat."""
