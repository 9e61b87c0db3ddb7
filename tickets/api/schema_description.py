"""What holds for every endpoint: the introduction of the schema."""

from tickets.api.authentication import SCHEME
from tickets.api.error_catalogue import MEANINGS
from tickets.api.problems import CONTENT_TYPE

INTRODUCTION = f"""\
Powerball tickets, made before they are asked for. Every ticket's chance at the jackpot is 1 in 292,201,338,
whatever made it.

**Who may ask.** All that is read, but claims and quota, is open to anyone, at a set rate for each address. An
API client sends `Authorization: {SCHEME} <key>` and has a rate, a daily quota of tickets and a list of modes
of its own; its day lasts from midnight to midnight in New York. A key that is not accepted is a 401 at every
address: nobody is silently taken for anonymous. `RateLimit-Limit`, `RateLimit-Remaining` and
`RateLimit-Reset` tell what is left of the minute.

**Claims** are all or nothing, and exclusive for good. `Idempotency-Key` makes them safe to repeat: the same
key and body give the same claim, also after a crash in between.

**Requests.** Unknown and doubled parameters and fields are refused, and so is a body that is not
`application/json` in UTF-8, of at most 64 KiB. Dates are `YYYY-MM-DD` in New York; instants are ISO 8601 in
UTC, with `Z`. No address ends in a slash.

**Answers** are JSON whatever `Accept` says, so there is no 406. `HEAD` answers as `GET` without the body.
`OPTIONS` answers, at every address and without a key, 200 with an `Allow` header and
`{{"methods": […], "renders": […], "schema": "/api/schema"}}`. Lists come page by page: follow `next` until it
is null.

**Request ids.** Each answer has an `X-Request-ID`, and so have the log's lines about it. A well-formed one
that is sent (8 to 64 letters, digits, dots, underscores or hyphens) is kept; any other is ignored.

**Errors** are `{CONTENT_TYPE}` by RFC 9457, at every address. Only what the web server cannot read
(no HTTP, or too long) is answered by itself, as HTML.

| status | when |
| --- | --- |
{"".join(f"| {status} | {meaning} |{chr(10)}" for status, meaning in MEANINGS.items())}"""
