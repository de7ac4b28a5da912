"""Sets of codes of several systems, and the SQL that finds them."""

from __future__ import annotations

from dataclasses import dataclass

from nh_pipeline.datasets.clinical.care import CPT, SNOMED

ICD = "http://hl7.org/fhir/sid/icd-10"
"""What the systems of ICD-10, ICD-10-CM and ICD-10-PCS begin with. Dots are left out: some sources write none."""


@dataclass(frozen=True)
class Codes:
    """Codes that mean one thing.

    Attributes:
        snomed: SNOMED CT.
        cpt: CPT.
        icd: what codes of ICD-10-CM begin with, without dots.
        pcs: what codes of ICD-10-PCS begin with.
    """

    snomed: tuple[str, ...] = ()
    cpt: tuple[str, ...] = ()
    icd: tuple[str, ...] = ()
    pcs: tuple[str, ...] = ()

    def sql(self, concept: str) -> str:
        """SQL that is true where ``<concept>_system`` and ``<concept>_code`` are among them, else false."""
        system, code = f"{concept}_system", f"{concept}_code"
        procedures = f"{system} like '{ICD}-pcs%'"
        cases = [
            f"{system} = '{name}' and {_among(code, codes)}"
            for name, codes in ((SNOMED, self.snomed), (CPT, self.cpt))
            if codes
        ]
        cases += [
            f"{which} and {_begins(code, codes)}"
            for which, codes in ((f"{system} like '{ICD}%' and not {procedures}", self.icd), (procedures, self.pcs))
            if codes
        ]
        return f"coalesce({' or '.join(f'({case})' for case in cases)}, false)"


def _among(code: str, codes: tuple[str, ...]) -> str:
    return f"{code} in ({', '.join(map(repr, codes))})"


def _begins(code: str, codes: tuple[str, ...]) -> str:
    return f"replace({code}, '.', '') rlike '^({'|'.join(codes)})'"
