"""Addresses under /api/v1/, without a trailing slash."""

from rest_framework.routers import SimpleRouter

from tickets.api.views import TicketViewSet

router = SimpleRouter(trailing_slash=False)
router.register("tickets", TicketViewSet, basename="ticket")
urlpatterns = router.urls
