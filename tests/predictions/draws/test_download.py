"""Downloads from a real server: retries, limits, and FeedError on failure."""

import time

import pytest
import requests
import responses

from predictions.draws import download
from predictions.draws.download import Download
from predictions.draws.feeds import FeedError
from tests.feed_server import GOOD_NY_CSV, Answer, FeedServer


@pytest.fixture(autouse=True)
def _no_waiting_between_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RETRIES", download.RETRIES.new(backoff_factor=0))


def test_download_is_one_request_with_user_agent_and_etag() -> None:
    with FeedServer(Answer(headers={"ETag": '"v1"'})) as server:
        assert download.download(server.url) == Download(GOOD_NY_CSV, '"v1"')
    assert len(server.requests) == 1
    assert server.requests[0]["User-Agent"] == "shiolplus-batch-tickets"
    assert "If-None-Match" not in server.requests[0]


def test_a_known_etag_is_sent_and_an_unchanged_feed_is_not_downloaded() -> None:
    with FeedServer(Answer(304, b"", {"ETag": '"v1"'})) as server:
        assert download.download(server.url, '"v1"') == Download(None, '"v1"')
    assert [headers["If-None-Match"] for headers in server.requests] == ['"v1"']


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_server_error_is_retried(status: int) -> None:
    with FeedServer(Answer(status), Answer(status), Answer()) as server:
        assert download.download(server.url).text == GOOD_NY_CSV
    assert len(server.requests) == 3


def test_a_server_that_stays_in_trouble_is_a_feed_error_after_four_requests() -> None:
    with FeedServer(Answer(503)) as server, pytest.raises(FeedError, match=r"cannot be read: .*503"):
        download.download(server.url)
    assert len(server.requests) == 4


def test_retry_after_of_the_server_is_ignored() -> None:
    with FeedServer(Answer(503, headers={"Retry-After": "3600"}), Answer()) as server:
        assert download.download(server.url).text == GOOD_NY_CSV


@pytest.mark.parametrize("status", [403, 404, 410])
def test_client_error_is_a_feed_error_and_not_retried(status: int) -> None:
    with FeedServer(Answer(status)) as server, pytest.raises(FeedError, match=f"cannot be read: {status}"):
        download.download(server.url)
    assert len(server.requests) == 1


def test_a_body_over_the_size_cap_is_cut_off() -> None:
    with (
        FeedServer(Answer(body=b" " * (download.SIZE_CAP + 70_000))) as server,
        pytest.raises(FeedError, match="sends more than the allowed 5,000,000 bytes"),
    ):
        download.download(server.url)
    assert len(server.requests) == 1


def test_a_body_that_ends_early_is_a_feed_error_and_not_half_a_feed() -> None:
    with (
        FeedServer(Answer(headers={"Content-Length": "100000", "Connection": "close"})) as server,
        pytest.raises(FeedError, match="cannot be read"),
    ):
        download.download(server.url)


def test_silent_server_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.05))
    with (
        FeedServer(Answer(drip=0.5)) as server,
        pytest.raises(FeedError, match=r"cannot be read: .*timed out"),
    ):
        download.download(server.url)


def test_slow_server_is_abandoned_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "DEADLINE", 0.1)
    started = time.monotonic()
    with (
        FeedServer(Answer(drip=0.02)) as server,
        pytest.raises(FeedError, match=r"took longer than 0\.1 seconds"),
    ):
        download.download(server.url)
    assert time.monotonic() - started < 0.5


def test_refused_connection_is_a_feed_error() -> None:
    with FeedServer(Answer()) as server:
        pass
    with pytest.raises(FeedError, match=r"cannot be read: .*Connection refused"):
        download.download(server.url)


@responses.activate
@pytest.mark.parametrize(
    "failure", [requests.ConnectTimeout("no route"), requests.exceptions.SSLError("expired")]
)
def test_a_network_that_fails_is_a_feed_error_with_the_address(failure: Exception) -> None:
    responses.get(download.URLS["ny"], body=failure)
    with pytest.raises(FeedError, match=rf"^https://data\.ny\.gov/.* cannot be read: {failure}"):
        download.download(download.URLS["ny"])


@pytest.mark.parametrize("url", ["nonsense", "ftp://data.ny.gov/draws.csv", "http://"])
def test_invalid_url_is_a_feed_error(url: str) -> None:
    with pytest.raises(FeedError, match="cannot be read"):
        download.download(url)
