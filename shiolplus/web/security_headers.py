"""What a browser may do with our answers: the Content-Security-Policy, and the Permissions-Policy.

The settings are shaped like Django 6's, which has this built in: SECURE_CSP maps directives to sources.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Policy = Mapping[str, Sequence[str]]

SELF, NONE = "'self'", "'none'"
# Django's own pages of an error, shown with SHIOL_DEBUG on, have their style and script inside.
DEBUG_PAGES = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}


def policy_text(policy: Policy) -> str:
    """The header's value: `default-src 'self'; img-src 'self' data:`."""
    return "; ".join(" ".join([directive, *sources]) for directive, sources in policy.items())


class HeadersMiddleware:
    """Add both headers to every answer that does not bring its own.

    SECURE_CSP_PATHS maps the beginning of a path to the directives that are otherwise there: they replace
    those of SECURE_CSP, and the others stay.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.has_debug_pages = settings.DEBUG
        self.permissions = settings.PERMISSIONS_POLICY
        self.everywhere = policy_text(settings.SECURE_CSP)
        self.by_path = {
            path: policy_text({**settings.SECURE_CSP, **changes})
            for path, changes in settings.SECURE_CSP_PATHS.items()
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not (self.has_debug_pages and response.status_code in DEBUG_PAGES):
            response.headers.setdefault("Content-Security-Policy", self.policy(request.path_info))
        response.headers.setdefault("Permissions-Policy", self.permissions)
        return response

    def policy(self, path: str) -> str:
        for beginning, policy in self.by_path.items():
            if path.startswith(beginning):
                return policy
        return self.everywhere
