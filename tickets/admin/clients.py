"""Admin pages for API clients: limits, keys and latest claims."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from rest_framework_api_key.admin import APIKey

from predictions.modes.registry import MODE_NAMES
from shiolplus.adminsite.action_pages import ActionAdmin, ActionRefused, Button, modes_field
from tickets.admin.keys import CreateKeyPage, RevokeKeyPage
from tickets.admin.policies import WholeNumber
from tickets.claims.allocation import get_quota
from tickets.models.clients import MAX_QUOTA, MAX_RATE, ApiClient

KEYS_SHOWN = 100
CLAIMS_SHOWN = 10

# The library's own page creates keys without a client, which are never accepted, and shows their text in a
# message, which is stored until it is read.
admin.site.unregister(APIKey)


class ClientForm(forms.ModelForm):
    modes = modes_field(MODE_NAMES, MODE_NAMES)
    daily_quota = WholeNumber(
        "Daily quota",
        0,
        MAX_QUOTA,
        initial=100,
        help_text="Tickets per day, midnight to midnight in New York.",
    )
    rate = WholeNumber("Rate", 1, MAX_RATE, initial=600, help_text="Requests per minute.")

    class Meta:
        model = ApiClient
        fields = ["name", "modes", "daily_quota", "rate", "active"]


@admin.register(ApiClient)
class ApiClientAdmin(ActionAdmin):
    form = ClientForm
    list_display = ["name", "may_claim", "quota", "used", "requests", "active", "keys"]
    list_filter = ["active"]
    search_fields = ["name"]
    search_help_text = "Client name or part of it"
    fields = ["name", "modes", "daily_quota", "rate", "active"]
    actions = None  # clients with claims cannot be deleted; the client's page explains why
    action_pages = [CreateKeyPage, RevokeKeyPage]
    change_form_template = "admin/tickets/apiclient/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiClient]:
        return ApiClient.objects.with_usage(timezone.now())

    @admin.display(description="modes")
    def may_claim(self, client: ApiClient) -> str:
        return "all" if set(client.modes) == set(MODE_NAMES) else ", ".join(client.modes) or "none"

    @admin.display(description="quota", ordering="daily_quota")
    def quota(self, client: ApiClient) -> str:
        return f"{client.daily_quota:,}"

    @admin.display(description="used today", ordering="used_today")
    def used(self, client: Any) -> str:
        return f"{client.used_today:,}"

    @admin.display(description="rate", ordering="rate")
    def requests(self, client: ApiClient) -> str:
        return f"{client.rate:,}"

    @admin.display(description="active keys", ordering="active_keys")
    def keys(self, client: Any) -> str:
        return f"{client.active_keys:,}"

    def row_actions(self, request: HttpRequest, client: ApiClient) -> list[Button]:
        if not request.user.has_perm(CreateKeyPage.permission):
            return []
        return [(CreateKeyPage.title, CreateKeyPage(self).url(client=client.name))]

    def page_context(self, request: HttpRequest, client: ApiClient) -> dict[str, Any]:
        quota, now = get_quota(client), timezone.now()
        keys = client.keys.order_by("revoked", "-created")[:KEYS_SHOWN]
        return super().page_context(request, client) | {
            "quota": f"{quota.used:,} of {quota.limit:,} tickets",
            "resets_at": quota.resets_at,
            "keys": [(key, key.status(now)) for key in keys],
            "revoke_url": RevokeKeyPage(self).url(),
            "claims": client.claims.defer("numbers", "ticket_details")[:CLAIMS_SHOWN],
            "claims_url": reverse("admin:tickets_claim_changelist", query={"q": client.name}),
        }

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ActionRefused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:tickets_apiclient_change", args=[object_id]))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # Check before Django collects and lists every claim; a client may have a million.
        for client in objs:
            check_without_claims(client)
        return super().get_deleted_objects(objs, request)

    def delete_model(self, request: HttpRequest, client: ApiClient) -> None:
        with transaction.atomic():
            # Wait for a concurrent claim, which holds the same lock, so that it is counted.
            ApiClient.objects.select_for_update().filter(pk=client.pk).first()
            check_without_claims(client)
            client.delete()


def check_without_claims(client: ApiClient) -> None:
    if client.claims.exists():
        raise ActionRefused(
            f"Client {client} has claims, which are kept permanently, so it cannot be deleted. "
            "Deactivate it instead; none of its keys is accepted then."
        )
