"""The keys of API clients: made, shown once, and revoked for good. Only their hashes are stored."""

import re
from datetime import UTC, date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from rest_framework_api_key.crypto import concatenate

from tickets.models.clients import ApiClient, ApiKey, eastern_date, eastern_midnight_after

PREFIX_LENGTH = 8
MAX_NAME = 50  # characters
MAX_DAYS = 36_500  # that a key may be accepted
_PREFIX = re.compile(rf"[A-Za-z0-9]{{{PREFIX_LENGTH}}}")


def generate_prefix() -> str:
    """What a key begins with, and is known by: no secret."""
    return get_random_string(PREFIX_LENGTH)


def create_key(
    client: ApiClient, name: str = "", expires_at: datetime | None = None, prefix: str | None = None
) -> tuple[ApiKey, str]:
    """A new key of a client, and its text, which is nowhere else: the row holds a hash of it.

    Without a name, it is called by the day. ValueError for a bad name, an end that is not to come, or a
    prefix that is taken: the same prefix again makes nothing, so that one order is carried out once.
    """
    name = name or str(eastern_date(timezone.now()))
    if len(name) > MAX_NAME or not name.isprintable() or not name.strip():
        raise ValueError(
            f"key name {name[:MAX_NAME]!r}: allowed are 1 to {MAX_NAME} printable characters, not all blank"
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise ValueError(f"expires {expires_at.isoformat()}: allowed is an instant to come")
    prefix = prefix or generate_prefix()
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"prefix {prefix[:40]!r}: allowed are {PREFIX_LENGTH} letters and digits")
    generator = ApiKey.objects.key_generator
    text = concatenate(prefix, generator.get_secret_key())
    hashed = generator.hash(text)
    key = ApiKey(
        id=concatenate(prefix, hashed),
        prefix=prefix,
        hashed_key=hashed,
        client=client,
        name=name,
        expiry_date=expires_at,
    )
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        if not ApiKey.objects.filter(prefix=prefix).exists():
            raise
        raise ValueError(f"the key {prefix} exists already, and its text is shown only once") from error
    return key, text


def revoke_key(prefix: str) -> bool:
    """Let a key be accepted no more, for good; whether it was this call that did."""
    return bool(ApiKey.objects.filter(prefix=prefix, revoked=False).update(revoked=True))


def key_expiry(last_day: date) -> datetime:
    """When a key ends whose last day in New York this is; ValueError for a day that is over or too far."""
    today = eastern_date(timezone.now())
    if not 0 <= (last_day - today).days <= MAX_DAYS:
        latest = today + timedelta(days=MAX_DAYS)
        raise ValueError(f"expires {last_day}: allowed is a day from {today} to {latest}")
    return eastern_midnight_after(last_day).astimezone(UTC)
