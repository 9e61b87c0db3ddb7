"""Introduction of the schema: rules that apply to all endpoints."""

from tickets.api.authentication import SCHEME
from tickets.api.openapi.errors import MEANINGS
from tickets.api.problems import CONTENT_TYPE

INTRODUCTION = f"""\
Pre-generated Powerball tickets. Every ticket has the same chance of winning the jackpot, 1 in 292,201,338,
whichever model generated it.

**Authentication.** Everything except claims and quota is public, with a rate limit per IP address. An API
client sends `Authorization: {SCHEME} <key>` and has its own rate limit, daily ticket quota and list of modes.
Its day runs from midnight to midnight in New York. An invalid key is a 401 for every request, including
public endpoints: a client is never silently treated as anonymous.

**Rate limits.** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` describe the current minute.

**Claims** are all or nothing, exclusive and permanent. `Idempotency-Key` makes them safe to repeat: the same
key and body return the same claim, even after a crash in between.

**Requests.** Unknown and repeated parameters and fields are rejected, and so is a body that is not
`application/json` in UTF-8 of at most 64 KiB. Dates are `YYYY-MM-DD` in New York time; timestamps are ISO
8601 in UTC with `Z`. No URL ends with a slash.

**Responses** are JSON whatever the `Accept` header, so there is no 406. `HEAD` responds like `GET` without
the body. `OPTIONS` responds 200 for every URL, without a key, with an `Allow` header and `{{"methods": […],
"renders": […], "schema": "/api/schema"}}`. Lists are paginated: follow `next` until it is null.

**Request ids.** Every response has an `X-Request-ID`, which also appears in the server's log. A valid id sent
by the client (8 to 64 letters, digits, dots, underscores or hyphens) is used; any other is ignored.

**Errors** are `{CONTENT_TYPE}` (RFC 9457). Only requests that the web server cannot read (invalid HTTP, or
too long) get an HTML response.

| status | meaning |
| --- | --- |
{"".join(f"| {status} | {meaning} |{chr(10)}" for status, meaning in MEANINGS.items())}"""
