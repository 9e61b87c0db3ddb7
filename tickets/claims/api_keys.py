"""Creation, expiry and revocation of API keys. Only hashes are stored, so a key is shown once."""

import re
from datetime import UTC, date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from rest_framework_api_key.crypto import concatenate

from tickets.models.clients import ApiClient, ApiKey, eastern_date, eastern_midnight_after

PREFIX_LENGTH = 8
MAX_NAME = 50  # characters
MAX_DAYS = 36_500  # until a key expires
_PREFIX = re.compile(rf"[A-Za-z0-9]{{{PREFIX_LENGTH}}}")


def generate_prefix() -> str:
    return get_random_string(PREFIX_LENGTH)


def create_key(
    client: ApiClient, name: str = "", expires_at: datetime | None = None, prefix: str | None = None
) -> tuple[ApiKey, str]:
    """Create a key and return it with its text, which is not stored.

    `name` defaults to the current date; the same `prefix` creates only one key. Raise ValueError for an
    invalid name, an expiry in the past, or an existing prefix.
    """
    name = name or str(eastern_date(timezone.now()))
    if len(name) > MAX_NAME or not name.isprintable() or not name.strip():
        raise ValueError(
            f"key name {name[:MAX_NAME]!r}: allowed are 1 to {MAX_NAME} printable characters, not all blank"
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise ValueError(f"expires {expires_at.isoformat()}: allowed is a time in the future")
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
        raise ValueError(f"key {prefix} already exists; its text is shown only once") from error
    return key, text


def revoke_key(prefix: str) -> bool:
    """Revoke a key permanently. Return False if no such key was active."""
    return bool(ApiKey.objects.filter(prefix=prefix, revoked=False).update(revoked=True))


def key_expiry(last_day: date) -> datetime:
    """Return the end of a day in New York. Raise ValueError if it is past or too far ahead."""
    today = eastern_date(timezone.now())
    if not 0 <= (last_day - today).days <= MAX_DAYS:
        latest = today + timedelta(days=MAX_DAYS)
        raise ValueError(f"expires {last_day}: allowed is a day from {today} to {latest}")
    return eastern_midnight_after(last_day).astimezone(UTC)
