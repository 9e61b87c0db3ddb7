"""Addresses under /api/v1/, without a trailing slash."""

from rest_framework.routers import SimpleRouter

from tickets.api.views import DrawViewSet, GenerationRunViewSet, TicketViewSet

router = SimpleRouter(trailing_slash=False)
router.register("tickets", TicketViewSet, basename="ticket")
router.register("draws", DrawViewSet, basename="draw")
router.register("generation-runs", GenerationRunViewSet, basename="generation-run")
urlpatterns = router.urls
