"""The pages that make a key of an API client and that revoke one: shown first, and then done."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from shiolplus.adminsite.action_pages import ActionPage, ActionRefused, DateField
from tickets.claims.api_keys import (
    MAX_NAME,
    PREFIX_LENGTH,
    create_key,
    generate_prefix,
    key_expiry,
    revoke_key,
)
from tickets.models.clients import ApiClient, ApiKey


class MakeKeyForm(forms.Form):
    client = forms.ModelChoiceField(
        ApiClient.objects.all(),
        to_field_name="name",
        error_messages={
            "required": "Client: choose one.",
            "invalid_choice": "Client: there is none of that name; allowed are those of the list.",
        },
    )
    name = forms.CharField(
        required=False,
        max_length=MAX_NAME,
        help_text="To know it by, such as the program that uses it. Left empty: the day.",
        error_messages={"max_length": f"Name: allowed are at most {MAX_NAME} characters."},
    )
    last_day = DateField(
        "Last day",
        required=False,
        help_text="In New York, the last one on which the key is accepted. Left empty: it never expires.",
    )
    # Made anew for each preview, so that one preview confirmed twice makes one key.
    begins = forms.CharField(required=False, initial=generate_prefix, widget=forms.HiddenInput)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError("Name: allowed are printable characters.")
        return name

    def clean_last_day(self) -> Any:
        day = self.cleaned_data["last_day"]
        try:
            return None if day is None else key_expiry(day)
        except ValueError as error:
            raise forms.ValidationError(f"Last day: {error}.") from error


class MakeKeyPage(ActionPage):
    """The key's text is in one answer to a POST and nowhere else: no message, session or log holds it."""

    slug = "make-key"
    title = "Make a key"
    permission = "tickets.add_apikey"
    form_class = MakeKeyForm
    template = "admin/tickets/apiclient/make_key.html"

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"client": asked["client"], "expires": _expires(asked["last_day"])}

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> HttpResponse:
        client: ApiClient = asked["client"]
        try:
            key, text = create_key(client, asked["name"], asked["last_day"], asked["begins"])
        except ValueError as error:
            raise ActionRefused(f"Nothing was made: {error}.") from error
        expires = _expires(key.expiry_date)
        self.model_admin.log_change(request, client, f"Made the key {key.prefix}; it expires {expires}.")
        context = self.model_admin.admin_site.each_context(request) | {
            "title": "A key was made",
            "opts": self.opts,
            "key": key,
            "text": text,
            "expires": expires,
        }
        return TemplateResponse(request, "admin/tickets/apiclient/key_made.html", context)


class RevokeKeyForm(forms.Form):
    begins = forms.CharField(
        label="Begins with",
        help_text=f"The key's first {PREFIX_LENGTH} characters.",
        error_messages={"required": "Begins with: name the key by its first characters."},
    )

    def clean_begins(self) -> ApiKey:
        prefix = self.cleaned_data["begins"]
        key = ApiKey.objects.select_related("client").filter(prefix=prefix).first()
        if key is None:  # of a whole key, given by mistake, no more is repeated
            shown = prefix[:PREFIX_LENGTH]
            raise forms.ValidationError(
                f"Begins with: there is no key {shown!r}; allowed are the {PREFIX_LENGTH} characters that "
                "the page of a key's client shows."
            )
        return key


class RevokeKeyPage(ActionPage):
    slug = "revoke-key"
    title = "Revoke a key"
    permission = "tickets.change_apikey"
    form_class = RevokeKeyForm
    template = "admin/tickets/apiclient/revoke_key.html"

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        key: ApiKey = asked["begins"]
        return {
            "key": key,
            "state": key.status(timezone.now()),
            "expires": _expires(key.expiry_date),
            "nothing_to_do": key.revoked,
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        key: ApiKey = asked["begins"]
        if not revoke_key(key.prefix):
            raise ActionRefused(f"The key {key.prefix} is revoked already.")
        self.model_admin.log_change(request, key.client, f"Revoked the key {key.prefix}.")
        text = f"The key {key.prefix} of {key.client} is revoked: it is not accepted any more."
        self.model_admin.message_user(request, text, messages.SUCCESS)


def _expires(instant: datetime | None) -> str:
    return "never" if instant is None else f"{instant:%Y-%m-%d %H:%M} UTC"
