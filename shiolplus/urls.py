"""URL configuration."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from shiolplus.web.favicon import favicon
from shiolplus.web.health import HealthView, ReadyView
from shiolplus.web.metrics import MetricsView
from shiolplus.web.sign_in import sign_in, sign_out
from shiolplus.web.static_version import DIGITS, redirect_to_current_version
from tickets.admin.dashboard import dashboard
from tickets.api.openapi.views import SchemaView, docs
from tickets.api.views import NotFoundView

admin.site.site_header = "SHIOL+ batch tickets"
admin.site.site_title = "SHIOL+"
admin.site.index_title = "Draws, models and tickets"

urlpatterns = [
    path("api/v1/", include("tickets.api.urls")),  # first, since it serves most requests
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", docs, name="docs"),
    re_path("^api(/|$)", NotFoundView.as_view()),
    path("healthz", HealthView.as_view(), name="healthz"),
    path("readyz", ReadyView.as_view(), name="readyz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", admin.site.admin_view(dashboard), name="dashboard"),
    path("admin/login/", sign_in),
    path("admin/logout/", admin.site.admin_view(sign_out)),
    path("admin/", admin.site.urls),
    path("favicon.ico", favicon),
    re_path(rf"^static/(?P<digest>[0-9a-f]{{{DIGITS}}})/(?P<name>.+)$", redirect_to_current_version),
]

handler500 = "tickets.api.problems.server_error"
