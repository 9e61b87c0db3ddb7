"""Admin pages that preview an action and perform it after confirmation."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from shiolplus.adminsite.changelist import RememberedFiltersAdmin

Button = tuple[str, str]  # label, URL


PREVIEW_MARKER = "_asked"  # distinguishes a POST for a preview from a confirmation


class ActionRefused(Exception):
    """Raised if an action cannot be previewed or performed now. Its text is shown to the user."""


@contextmanager
def refusing(prefix: str = "") -> Iterator[None]:
    """Raise ActionRefused instead of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ActionRefused(f"{prefix}: {error}." if prefix else str(error)) from error


@contextmanager
def validating(name: str) -> Iterator[None]:
    """Raise a ValidationError that names the field instead of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise forms.ValidationError(f"{name}: {error}.") from error


class ActionPage(ABC):
    """One action of a list: GET shows the form, GET with values adds a preview, POST performs the action."""

    slug: ClassVar[str]
    title: ClassVar[str]
    permission: ClassVar[str]
    form_class: ClassVar[type[forms.Form]]
    template: ClassVar[str]
    uploads: ClassVar[bool] = False  # preview by POST, as the form contains a file
    requires_input: ClassVar[bool] = True  # if False, a GET without values previews the defaults

    def __init__(self, model_admin: "admin.ModelAdmin[Any]") -> None:
        self.model_admin = model_admin
        self.opts = model_admin.opts

    @abstractmethod
    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        """Return the template context that describes the action, without performing it.

        An optional `confirm` maps field names to the values to post on confirmation instead of those entered,
        so that exactly the previewed action is performed.
        """

    @abstractmethod
    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> HttpResponse | None:
        """Perform and log the action. Add a message, or return a response to show instead of the list."""

    @property
    def url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{self.slug}"

    def url(self, **query: Any) -> str:
        return reverse(f"admin:{self.url_name}", query=query)

    def url_for_list(self, request: HttpRequest) -> str:
        return self.url()

    def is_allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.permission)

    def view(self, request: HttpRequest) -> HttpResponse:
        if not self.is_allowed(request):
            raise PermissionDenied
        return self.handle_post(request) if request.method == "POST" else self.get(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.requires_input and not request.GET.keys() & self.form_class.base_fields.keys():
            return self.render(request, self.form_class())
        return self.render(request, self.form_class(request.GET))

    def handle_post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST, request.FILES)
        if (self.uploads and PREVIEW_MARKER in request.POST) or not form.is_valid():
            return self.render(request, form)
        try:
            response = self.perform_action(request, form.cleaned_data)
        except ActionRefused as refusal:
            self.model_admin.message_user(request, str(refusal), messages.ERROR)
            return self.render(request, self.form_class(request.POST), with_preview=False)
        return response or HttpResponseRedirect(self.return_url(request))

    def return_url(self, request: HttpRequest) -> str:
        if self.model_admin.has_view_permission(request):
            return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return reverse("admin:index")

    def render(self, request: HttpRequest, form: forms.Form, with_preview: bool = True) -> HttpResponse:
        preview = (
            self.try_preview(request, form) if with_preview and form.is_bound and form.is_valid() else None
        )
        context = self.model_admin.admin_site.each_context(request) | {
            "title": self.title,
            "opts": self.opts,
            "form": form,
            "uploads": self.uploads,
            "preview": preview,
            "confirmed": [] if preview is None else hidden_inputs(request, form, preview.get("confirm", {})),
            "return_url": self.return_url(request),
        }
        return TemplateResponse(request, self.template, context | self.page_context(preview))

    def page_context(self, preview: dict[str, Any] | None) -> dict[str, Any]:
        return {}

    def try_preview(self, request: HttpRequest, form: forms.Form) -> dict[str, Any] | None:
        try:
            return self.preview_context(form.cleaned_data)
        except ActionRefused as refusal:
            self.model_admin.message_user(request, str(refusal), messages.ERROR)
            return None


def hidden_inputs(request: HttpRequest, form: forms.Form, overrides: dict[str, str]) -> list[tuple[str, str]]:
    """Return the values to post on confirmation: submitted, `overrides`, and hidden fields' initials."""
    params = request.POST if request.method == "POST" else request.GET
    names = [field.name for field in form.visible_fields() if field.name not in overrides]
    submitted = [(name, value) for name in names for value in params.getlist(name)]
    hidden = [
        (field.name, str(field.initial)) for field in form.hidden_fields() if field.name not in overrides
    ]
    return [*submitted, *overrides.items(), *hidden]


class ActionAdmin(RememberedFiltersAdmin):
    """Add the URLs of the action pages, and their buttons for users with permission."""

    action_pages: ClassVar[Sequence[type[ActionPage]]] = ()
    change_form_template = "adminsite/change_form.html"

    def row_actions(self, request: HttpRequest, row: Any) -> list[Button]:
        """Return the buttons on an object's page that the user has permission for."""
        return []

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = [page(self) for page in self.action_pages]
        urls = [path(f"{page.slug}/", wrap(page.view), name=page.url_name) for page in pages]
        return [*urls, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pages = [page(self) for page in self.action_pages]
        buttons = [(page.title, page.url_for_list(request)) for page in pages if page.is_allowed(request)]
        return super().changelist_view(request, (extra_context or {}) | {"buttons": buttons})

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"buttons": self.row_actions(request, row)}


# Form fields shared by several actions


def modes_field(modes: Sequence[str], initial: Sequence[str]) -> forms.MultipleChoiceField:
    allowed = ", ".join(modes)
    return forms.MultipleChoiceField(
        choices=[(mode, mode) for mode in modes],
        initial=list(initial),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": f"Modes: choose at least one; allowed are {allowed}.",
            "invalid_choice": f"Modes: %(value)s is not one; allowed are {allowed}.",
        },
    )


def choice_field(name: str, choices: dict[str, str]) -> forms.ChoiceField:
    allowed = ", ".join(choices)
    return forms.ChoiceField(
        choices=list(choices.items()),
        error_messages={
            "required": f"{name}: choose one; allowed are {allowed}.",
            "invalid_choice": f"{name}: %(value)s is not one; allowed are {allowed}.",
        },
    )


def number_field(name: str, max_value: int, **options: Any) -> forms.IntegerField:
    message = f"{name}: allowed is a whole number from 1 to {max_value:,}."
    return forms.IntegerField(
        min_value=1,
        max_value=max_value,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), message),
        **options,
    )


class DateField(forms.DateField):
    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            error_messages={"invalid": f"{name}: allowed is a date such as 2026-11-25."},
            **options,
        )
