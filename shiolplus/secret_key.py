"""The secret key file, which `manage.py init` writes."""

import secrets
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_REPLACE = (
    "Restore the key, or delete the file and run `python manage.py init` to create a new one. That signs out "
    "all users and makes queued tasks unreadable."
)


def read_secret_key(key_file: Path) -> str:
    """Return the key in a file, or a temporary one for `init`. Raise ImproperlyConfigured."""
    try:
        key = key_file.read_bytes().decode().strip()
    except FileNotFoundError as error:
        if sys.argv[1:2] == ["init"]:
            return secrets.token_urlsafe(50)
        raise ImproperlyConfigured(
            f"There is no secret key: run `python manage.py init`, which writes {key_file}, "
            "or set SHIOL_SECRET_KEY."
        ) from error
    except IsADirectoryError as error:
        raise ImproperlyConfigured(
            f"{key_file} is a directory; it must be a file. Remove it and run `python manage.py init`."
        ) from error
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key {key_file} cannot be read: {error.strerror}. Make the user that runs this "
            "process the owner of the file (`chown`), or set SHIOL_SECRET_KEY."
        ) from error
    except UnicodeDecodeError as error:
        raise ImproperlyConfigured(f"The secret key {key_file} is not UTF-8 text. {_REPLACE}") from error
    if not key:
        raise ImproperlyConfigured(f"The secret key {key_file} is empty. {_REPLACE}")
    return key
