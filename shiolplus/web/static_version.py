"""One version of all static files in STATIC_URL, so that browsers can cache them without collectstatic."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.cache import never_cache

PACKAGES = ("django", "djangorestframework", "drf-spectacular-sidecar", "django-q2")
DIGITS = 8


def static_version(project: Path) -> str:
    """Return a digest of the versions of PACKAGES and of the project's own static files."""
    digest = hashlib.sha256("".join(map(version, PACKAGES)).encode())
    for path in sorted([*project.glob("*/static/**/*"), *project.glob("*/*/static/**/*")]):
        if path.is_file():
            digest.update(str(path.relative_to(project)).encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


@never_cache
def redirect_to_current_version(request: HttpRequest, digest: str, name: str) -> HttpResponseRedirect:
    """Redirect to the current version of a file, for pages rendered by a process with other code."""
    if f"/{digest}/" in settings.STATIC_URL:  # WhiteNoise did not find it
        raise Http404
    return HttpResponseRedirect(static(name))
