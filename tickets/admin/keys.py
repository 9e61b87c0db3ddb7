"""Action pages that create and revoke API keys."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from shiolplus.adminsite.action_pages import ActionPage, ActionRefused, DateField, refusing, validating
from tickets.claims.api_keys import (
    MAX_NAME,
    PREFIX_LENGTH,
    create_key,
    generate_prefix,
    key_expiry,
    revoke_key,
)
from tickets.models.clients import ApiClient, ApiKey


class CreateKeyForm(forms.Form):
    client = forms.ModelChoiceField(
        ApiClient.objects.all(),
        to_field_name="name",
        error_messages={
            "required": "Client: choose one.",
            "invalid_choice": "Client: there is no client of that name; choose one from the list.",
        },
    )
    name = forms.CharField(
        label="Label",
        required=False,
        max_length=MAX_NAME,
        help_text="For example, the program that uses the key. Leave empty for today's date.",
        error_messages={"max_length": f"Label: enter at most {MAX_NAME} characters."},
    )
    last_day = DateField(
        "Last day",
        required=False,
        help_text="Last day of validity, New York time. Leave empty for a key that never expires.",
    )
    # Generated per preview, so that confirming twice creates one key.
    begins = forms.CharField(required=False, initial=generate_prefix, widget=forms.HiddenInput)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError("Label: enter printable characters only.")
        return name

    def clean_last_day(self) -> Any:
        day = self.cleaned_data["last_day"]
        with validating("Last day"):
            return None if day is None else key_expiry(day)


class CreateKeyPage(ActionPage):
    """Create a key and show it only in the response to the POST, never in a message, session or log."""

    slug = "make-key"
    title = "Create an API key"
    permission = "tickets.add_apikey"
    form_class = CreateKeyForm
    template = "admin/tickets/apiclient/make_key.html"

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        return {"client": cleaned_data["client"], "expiry": expiry_text(cleaned_data["last_day"])}

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> HttpResponse:
        client: ApiClient = cleaned_data["client"]
        with refusing("No key was created"):
            key, text = create_key(
                client, cleaned_data["name"], cleaned_data["last_day"], cleaned_data["begins"]
            )
        expiry = expiry_text(key.expiry_date)
        self.model_admin.log_change(request, client, f"Created key {key.prefix}, which {expiry}.")
        context = self.model_admin.admin_site.each_context(request) | {
            "title": "API key created",
            "opts": self.opts,
            "key": key,
            "text": text,
            "expiry": expiry,
        }
        return TemplateResponse(request, "admin/tickets/apiclient/key_made.html", context)


class RevokeKeyForm(forms.Form):
    begins = forms.CharField(
        label="Begins with",
        help_text=f"First {PREFIX_LENGTH} characters of the key.",
        error_messages={"required": f"Begins with: enter the first {PREFIX_LENGTH} characters of the key."},
    )

    def clean_begins(self) -> ApiKey:
        prefix = self.cleaned_data["begins"]
        key = ApiKey.objects.select_related("client").filter(prefix=prefix).first()
        if key is None:
            shown = prefix[:PREFIX_LENGTH]  # never show a whole key pasted by mistake
            raise forms.ValidationError(
                f"Begins with: there is no key {shown!r}; enter the {PREFIX_LENGTH} characters shown on the "
                "client's page."
            )
        return key


class RevokeKeyPage(ActionPage):
    slug = "revoke-key"
    title = "Revoke an API key"
    permission = "tickets.change_apikey"
    form_class = RevokeKeyForm
    template = "admin/tickets/apiclient/revoke_key.html"

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        key: ApiKey = cleaned_data["begins"]
        return {
            "key": key,
            "status": key.status(timezone.now()),
            "nothing_to_do": key.revoked,
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        key: ApiKey = cleaned_data["begins"]
        if not revoke_key(key.prefix):
            raise ActionRefused(f"Key {key.prefix} is already revoked.")
        self.model_admin.log_change(request, key.client, f"Revoked key {key.prefix}.")
        text = f"Key {key.prefix} of {key.client} is revoked and no longer accepted."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def expiry_text(expires_at: datetime | None) -> str:
    return "never expires" if expires_at is None else f"expires {expires_at:%Y-%m-%d %H:%M} UTC"
