"""The admin's files: each address holds a version, so a browser asks for a file once and never again.

There is no collectstatic step. The version is one for all files, in front of their names, so the files that
name each other by relative addresses need no rewriting.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.cache import never_cache

# Whose files are served beside our own.
PACKAGES = ("django", "djangorestframework", "drf-spectacular-sidecar", "django-q2")
DIGITS = 8


def static_version(project: Path) -> str:
    """A digest of what the files are: of the packages that bring them, and of our own files' content."""
    digest = hashlib.sha256("".join(map(version, PACKAGES)).encode())
    for path in sorted([*project.glob("*/static/**/*"), *project.glob("*/*/static/**/*")]):
        if path.is_file():
            digest.update(str(path.relative_to(project)).encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


@never_cache
def redirect_to_current_version(request: HttpRequest, digest: str, name: str) -> HttpResponseRedirect:
    """Our version of a file, for a page of a process that still runs, or runs already, another code.

    Http404 where it is our own version that is asked for: WhiteNoise has looked for it before.
    """
    if f"/{digest}/" in settings.STATIC_URL:
        raise Http404
    return HttpResponseRedirect(static(name))
