"""Files that people take for a CSV and that are none: told by their first bytes, with what to do.

What belongs here: naming them. Not here: zip and gzip, which are read (:mod:`nh_pipeline.landing.archive`).
"""

from __future__ import annotations

import re

from nh_pipeline.landing.refused import Refused

_EXPORT = "Open it in the program that it is from and save it as CSV (UTF-8), or deliver the CSV that CMS publishes."
_UNPACK = "Unpack it and deliver the CSV, or pack that as zip or gzip."
_DOWNLOAD = (
    "Open it in a browser: it may be a login page or an error in place of the download. Then download the file anew."
)
_ASK_FOR_CSV = "Ask the API, or the program that it is from, for CSV."
_PUBLISHED = "Deliver the CSV that CMS publishes."

_FORMATS = (
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook (xls) or another Office document", _EXPORT),
    (rb"%PDF-", "a PDF", _PUBLISHED),
    (rb"(?i:\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b)", "a web page (HTML)", _DOWNLOAD),
    (rb"\s*<\?xml\b", "XML", _ASK_FOR_CSV),
    (rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])", "JSON", _ASK_FOR_CSV),
    (rb"PAR1[^ -~\r\n]", "a Parquet file", _ASK_FOR_CSV),
    (rb"ARROW1\0|FEA1[^ -~\r\n]", "an Arrow (Feather) file", _ASK_FOR_CSV),
    (rb"ORC[^ -~\r]", "an ORC file", _ASK_FOR_CSV),
    (rb"Obj\x01", "an Avro file", _ASK_FOR_CSV),
    (rb"SQLite format 3\0|\0\x01\0\0Standard (?:Jet|ACE) DB", "a database (SQLite, Access)", _EXPORT),
    (rb"\0{12}\xc2\xea\x81\x60|HEADER RECORD\*{7}LIB|\$FL[23]|<stata_dta>", "data of SAS, SPSS or Stata", _EXPORT),
    (rb"RDX[23]\n|X\n\0\0\0[\x02\x03]", "data of R", _EXPORT),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (rb"BZh[1-9]\x31\x41\x59\x26\x53\x59|BZh[1-9]\x17\x72\x45\x38", "packed by bzip2", _UNPACK),
    (rb"\xfd7zXZ\0", "packed by xz", _UNPACK),
    (rb"\x28\xb5\x2f\xfd", "packed by Zstandard", _UNPACK),
    (rb"\x04\x22\x4d\x18|\x1f[\x9d\xa0]", "packed by LZ4 or compress", _UNPACK),
    (rb".{257}ustar", "a tar archive", _UNPACK),
    (rb"\{\\rtf", "a text document (RTF)", _EXPORT),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", _PUBLISHED),
)
_KNOWN = tuple((re.compile(begins, re.DOTALL), what, to_do) for begins, what, to_do in _FORMATS)


def refuse_foreign(start: bytes, name: str) -> None:
    """Refuses what is known to be no CSV.

    Args:
        start: Its first bytes.
        name: The file's name, for the message.

    Raises:
        Refused: It says what the file is.
    """
    start = start[:4096].removeprefix(b"\xef\xbb\xbf")
    for begins, what, to_do in _KNOWN:
        if begins.match(start):
            raise Refused(
                f"{name}: not a known CMS file, but {what}",
                expected="a CSV",
                found=f"{what}, by its first bytes",
                what_to_do=to_do,
            )
