"""URLs under /api/v1/, without a trailing slash."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from tickets.api.claims import ClaimViewSet, QuotaView
from tickets.api.views import DrawViewSet, GenerationRunViewSet, ModeViewSet, TicketViewSet

router = SimpleRouter(trailing_slash=False)
router.register("tickets/claims", ClaimViewSet, basename="claim")
router.register("tickets", TicketViewSet, basename="ticket")
router.register("draws", DrawViewSet, basename="draw")
router.register("generation-runs", GenerationRunViewSet, basename="generation-run")
router.register("modes", ModeViewSet, basename="mode")
urlpatterns = [*router.urls, path("quota", QuotaView.as_view(), name="quota")]
