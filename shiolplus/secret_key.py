"""The secret key file, which `manage.py init` writes."""

from pathlib import Path

_REPLACE = (
    "Restore the key, or delete the file and run `python manage.py init` to create a new one. That signs out "
    "all users and makes queued tasks unreadable."
)


class SecretKeyError(Exception):
    pass


def read_secret_key(key_file: Path) -> str:
    """Return the key in a file. Raise FileNotFoundError or SecretKeyError."""
    try:
        key = key_file.read_bytes().decode().strip()
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise SecretKeyError(
            f"{key_file} is a directory; it must be a file. Remove it and run `python manage.py init`."
        ) from error
    except OSError as error:
        raise SecretKeyError(
            f"The secret key {key_file} cannot be read: {error.strerror}. Make the user that runs this "
            "process the owner of the file (`chown`), or set SHIOL_SECRET_KEY."
        ) from error
    except UnicodeDecodeError as error:
        raise SecretKeyError(f"The secret key {key_file} is not UTF-8 text. {_REPLACE}") from error
    if not key:
        raise SecretKeyError(f"The secret key {key_file} is empty. {_REPLACE}")
    return key
