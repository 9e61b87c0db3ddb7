"""A file of draws that a person uploads: read, and carried through the page that asks whether to import it.

The confirming form carries the file itself, packed, so that exactly what was shown is imported, whichever
process of the web server is asked, and nothing of what nobody confirms is kept.
"""

import base64
import binascii
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any

from predictions.draws import feeds
from predictions.draws.feeds import FeedError
from shiolplus.logs.safe_text import sanitize_line

MOST_BYTES = 2_000_000
MOST_PACKED = 2_400_000  # characters: with the form around it, less than DATA_UPLOAD_MAX_MEMORY_SIZE
ALLOWED = (
    f"allowed is a text of at most {MOST_BYTES:,} bytes in the layout {', '.join(feeds.READERS)}, "
    "or a spreadsheet with such columns"
)


@dataclass(frozen=True)
class DrawsFile:
    """The bytes of a file that can be read as draws, and its name."""

    name: str
    content: bytes

    @classmethod
    def of_upload(cls, file: Any, layout: str = "auto") -> "DrawsFile":
        """What was uploaded; ValueError says what is wrong with it, and what is allowed."""
        name = sanitize_line(file.name)
        if file.size > MOST_BYTES:
            raise ValueError(f"{name} has {file.size:,} bytes; {ALLOWED}")
        return cls._checked(name, file.read(), layout)

    @classmethod
    def unpacked(cls, name: str, packed: str, layout: str = "auto") -> "DrawsFile":
        """What a confirming form has carried; ValueError when that is no such file."""
        try:
            whole = base64.urlsafe_b64decode(packed.encode("ascii"))
            content = zlib.decompressobj().decompress(whole, MOST_BYTES + 1)
        except (binascii.Error, UnicodeEncodeError, zlib.error) as error:
            raise ValueError("what was carried of the file is broken; choose it again") from error
        if len(content) > MOST_BYTES:
            raise ValueError(f"it is too large; {ALLOWED}")
        return cls._checked(sanitize_line(name), content, layout)

    @classmethod
    def _checked(cls, name: str, content: bytes, layout: str) -> "DrawsFile":
        try:
            feeds.read(feeds.decode(content), layout)
        except FeedError as error:
            raise ValueError(f"{name} cannot be read: {sanitize_line(str(error))}; {ALLOWED}") from error
        file = cls(name, content)
        if len(file.encoded) > MOST_PACKED:
            raise ValueError(f"{name} is no text of draws; {ALLOWED}")
        return file

    @property
    def encoded(self) -> str:
        return base64.urlsafe_b64encode(zlib.compress(self.content)).decode("ascii")

    @property
    def description(self) -> str:
        """For the admin log."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"the file {self.name} ({len(self.content):,} bytes, SHA-256 {digest})"
