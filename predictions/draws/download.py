"""Download of official draws: one request with retries, timeouts, a size limit and an ETag."""

import time
from dataclasses import dataclass

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from predictions.draws.feeds import SIZE_CAP, FeedError, decode

URLS = {
    "ny": "https://data.ny.gov/api/views/d6yy-54nr/rows.csv?accessType=DOWNLOAD",
    "texas": "https://www.texaslottery.com/export/sites/lottery/Games/Powerball/Winning_Numbers/powerball.csv",
}
TIMEOUT = (5, 20)  # seconds to connect, and between bytes
DEADLINE = 60  # seconds for the whole body
RETRIES = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods={"GET"},
    respect_retry_after_header=False,  # a server may request an hour; the next run is soon enough
)


@dataclass(frozen=True)
class Download:
    """The response of a server; `text` is None for 304 Not Modified."""

    text: str | None
    etag: str


def download(url: str, etag: str = "") -> Download:
    """Download a feed, conditionally if `etag` is given; raise FeedError on failure."""
    headers = {"User-Agent": "shiolplus-batch-tickets"} | ({"If-None-Match": etag} if etag else {})
    try:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
            with session.get(url, headers=headers, timeout=TIMEOUT, stream=True) as response:
                if response.status_code == requests.codes.not_modified:
                    if not etag:
                        raise FeedError(f"{url} cannot be read: 304 Not Modified to an unconditional request")
                    return Download(None, etag)
                response.raise_for_status()
                if response.status_code != requests.codes.ok:  # 204, 206 and 300 have no complete body
                    raise FeedError(f"{url} cannot be read: {response.status_code} {response.reason}")
                return Download(decode(_body(response)), response.headers.get("ETag", ""))
    except (requests.RequestException, HTTPError) as error:
        raise FeedError(f"{url} cannot be read: {_cause(error)}") from error


def _cause(error: Exception) -> object:
    """Return the original error inside the exceptions of the retries."""
    inner = error.args[0] if error.args else error
    return getattr(inner, "reason", None) or inner


def _body(response: requests.Response) -> bytes:
    content, deadline = b"", time.monotonic() + DEADLINE
    while block := response.raw.read1(65536, decode_content=True):  # does not wait for a full block
        content += block
        if len(content) > SIZE_CAP:
            raise FeedError(f"{response.url} sends more than the allowed {SIZE_CAP:,} bytes")
        if time.monotonic() > deadline:
            raise FeedError(f"{response.url} took longer than {DEADLINE} seconds")
    return content
