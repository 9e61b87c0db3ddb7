"""Conversion of spreadsheets (.xlsx, .xls, .ods) to CSV."""

import csv
import zipfile
from io import BytesIO, StringIO
from typing import Any

from python_calamine import CalamineError, load_workbook

from predictions.draws.feed_rows import FeedError

ZIP_SIGNATURE = b"PK\x03\x04"  # .xlsx and .ods
OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls
UNZIPPED_CAP = 50_000_000  # bytes; all draws since 2010 take 600,000 in an .xlsx


def is_spreadsheet(content: bytes) -> bool:
    return content.startswith((ZIP_SIGNATURE, OLE_SIGNATURE))


def spreadsheet_to_csv(content: bytes) -> str:
    """Return the first sheet with cells as CSV, one line per row; raise FeedError if it cannot be read."""
    try:
        if content.startswith(ZIP_SIGNATURE):
            _check_unzipped_size(content)
        workbook = load_workbook(BytesIO(content))
        sheets = (
            workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names
        )
        rows = next((sheet for sheet in sheets if sheet), [])
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise FeedError(f"an Excel or OpenDocument file that cannot be read: {error}") from error
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_cell_text(cell) for cell in row] for row in rows])
    return text.getvalue()


def _check_unzipped_size(content: bytes) -> None:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(part.file_size for part in archive.infolist()) > UNZIPPED_CAP:
            raise ValueError(f"it unpacks to more than the allowed {UNZIPPED_CAP:,} bytes")


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return " ".join(str(cell).split())
