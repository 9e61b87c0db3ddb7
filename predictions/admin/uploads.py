"""Draw files uploaded in the admin.

The confirmation form carries the content, so exactly the previewed file is imported and no other is stored.
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

MAX_BYTES = 2_000_000
MAX_ENCODED_LENGTH = 2_400_000  # with the rest of the form, less than DATA_UPLOAD_MAX_MEMORY_SIZE
ALLOWED = (
    f"allowed is a text of at most {MAX_BYTES:,} bytes in the layout {', '.join(feeds.READERS)}, "
    "or a spreadsheet with such columns"
)


@dataclass(frozen=True)
class DrawsFile:
    """The name and content of a readable file of draws. Its constructors raise ValueError for other files."""

    name: str
    content: bytes

    @classmethod
    def from_upload(cls, file: Any, layout: str = "auto") -> "DrawsFile":
        name = sanitize_line(file.name)
        if file.size > MAX_BYTES:
            raise ValueError(f"{name} has {file.size:,} bytes; {ALLOWED}")
        return cls._validated(name, file.read(), layout)

    @classmethod
    def decode(cls, name: str, encoded: str, layout: str = "auto") -> "DrawsFile":
        """Return the file that a confirmation form carries as `encoded`."""
        try:
            compressed = base64.urlsafe_b64decode(encoded.encode("ascii"))
            content = zlib.decompressobj().decompress(compressed, MAX_BYTES + 1)
        except (binascii.Error, UnicodeEncodeError, zlib.error) as error:
            raise ValueError("the content carried by the form is corrupt; select the file again") from error
        if len(content) > MAX_BYTES:
            raise ValueError(f"the file is too large; {ALLOWED}")
        return cls._validated(sanitize_line(name), content, layout)

    @classmethod
    def _validated(cls, name: str, content: bytes, layout: str) -> "DrawsFile":
        try:
            feeds.read(feeds.decode(content), layout)
        except FeedError as error:
            raise ValueError(f"{name} cannot be read: {sanitize_line(str(error))}; {ALLOWED}") from error
        file = cls(name, content)
        if len(file.encoded) > MAX_ENCODED_LENGTH:
            # Draws compress well; content that does not is something else.
            raise ValueError(f"{name} is not a file of draws; {ALLOWED}")
        return file

    @property
    def encoded(self) -> str:
        return base64.urlsafe_b64encode(zlib.compress(self.content)).decode("ascii")

    @property
    def description(self) -> str:
        """Identify the file in the admin log."""
        digest = hashlib.sha256(self.content).hexdigest()
        return f"the file {self.name} ({len(self.content):,} bytes, SHA-256 {digest})"
