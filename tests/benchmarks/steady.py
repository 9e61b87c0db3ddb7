"""Requests at a fixed rate that does not depend on the response time.

Latency is measured from the moment at which a request is due, so it includes waiting for a free connection.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import NamedTuple

CONNECTIONS = 16


class Latency(NamedTuple):
    """Number of requests, and latencies in milliseconds."""

    requests: int
    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:5.1f} ms   p99 {self.p99:6.1f} ms   longest {self.longest:6.1f} ms   "
            f"of {self.requests:,} requests"
        )


def steady_load(port: int, path: str, rate: float, go_on: Callable[[], bool]) -> Latency:
    """GET a path at a fixed rate while `go_on()`. Raise RuntimeError for a status other than 200."""
    start = time.monotonic() + 0.1

    def one_connection(number: int) -> list[float]:
        connection, taken, place = HTTPConnection("127.0.0.1", port, timeout=30), [], number
        while go_on():
            due = start + place / rate
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"{path} answered {response.status}")
            taken.append(1000 * (time.monotonic() - due))
            place += CONNECTIONS
        connection.close()
        return taken

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        latencies = [one for taken in threads.map(one_connection, range(CONNECTIONS)) for one in taken]
    cuts = statistics.quantiles(latencies, n=100)
    return Latency(len(latencies), cuts[49], cuts[98], max(latencies))
