"""Content-Security-Policy and Permissions-Policy headers, until Django 6 provides SECURE_CSP."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Policy = Mapping[str, Sequence[str]]

SELF, NONE = "'self'", "'none'"
# With DEBUG on, Django's error pages contain inline styles and scripts.
DEBUG_PAGES = {HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR}


def policy_text(policy: Policy) -> str:
    """Return a value such as `default-src 'self'; img-src 'self' data:`."""
    return "; ".join(" ".join([directive, *sources]) for directive, sources in policy.items())


class HeadersMiddleware:
    """Add both headers to responses that lack them.

    SECURE_CSP_PATHS maps a path prefix to directives that override those of SECURE_CSP.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.has_debug_pages = settings.DEBUG
        self.permissions = settings.PERMISSIONS_POLICY
        self.default_policy = policy_text(settings.SECURE_CSP)
        self.policies_by_prefix = {
            prefix: policy_text({**settings.SECURE_CSP, **overrides})
            for prefix, overrides in settings.SECURE_CSP_PATHS.items()
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not (self.has_debug_pages and response.status_code in DEBUG_PAGES):
            response.headers.setdefault("Content-Security-Policy", self.policy(request.path_info))
        response.headers.setdefault("Permissions-Policy", self.permissions)
        return response

    def policy(self, path: str) -> str:
        for prefix, policy in self.policies_by_prefix.items():
            if path.startswith(prefix):
                return policy
        return self.default_policy
