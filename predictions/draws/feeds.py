"""Draw files: from bytes to text, and from text to rows."""

import codecs

from predictions.draws.feed_layouts import READERS, detect_format
from predictions.draws.feed_rows import FeedError, FeedRow, FeedRows, ParsedDraw
from predictions.draws.spreadsheets import is_spreadsheet, spreadsheet_to_csv

__all__ = [
    "READERS",
    "SIZE_CAP",
    "FeedError",
    "FeedRow",
    "FeedRows",
    "ParsedDraw",
    "decode",
    "detect_format",
    "read",
]

SIZE_CAP = 5_000_000  # bytes; all draws since 2010 take 60,000


def read(text: str, layout: str = "auto") -> FeedRows:
    """Return the rows of a feed's text; `layout` is "auto" or a key of READERS."""
    text = text.removeprefix("\ufeff")
    return READERS[detect_format(text) if layout == "auto" else layout](text)


def decode(content: bytes) -> str:
    """Return a file or download as text, spreadsheets as CSV; raise FeedError if it is neither."""
    if len(content) > SIZE_CAP:
        raise FeedError(f"larger than the allowed {SIZE_CAP:,} bytes")
    if is_spreadsheet(content):
        return spreadsheet_to_csv(content)
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FeedError(f"not UTF-8 text, nor UTF-16 with a byte order mark: {error}") from error
