"""Pages that act: they ask, show what would be done, and do it only when that is confirmed by POST."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from shiolplus.adminsite.changelist import RememberedFiltersAdmin

Button = tuple[str, str]  # its text, and where it leads


class ActionRefused(Exception):
    """Why something cannot be shown or done now; a message, not an error page."""


PREVIEW_MARKER = "_asked"  # in what is posted only to be shown


class ActionPage(ABC):
    """One action of a list: GET asks, GET with values shows what would happen, POST does it."""

    slug: ClassVar[str]
    title: ClassVar[str]
    permission: ClassVar[str]
    form_class: ClassVar[type[forms.Form]]
    template: ClassVar[str]
    uploads: ClassVar[bool] = False  # True: what is asked travels by POST, for there may be a file in it
    requires_input: ClassVar[bool] = True  # False: without values it previews what it does by default

    def __init__(self, model_admin: "admin.ModelAdmin[Any]") -> None:
        self.model_admin = model_admin
        self.opts = model_admin.opts

    @abstractmethod
    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the template shows of that which would be done; changes nothing.

        Where what is shown depends on more than was asked, its `confirm` holds the values that stand for it.
        """

    @abstractmethod
    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> HttpResponse | None:
        """Do it, log it, and leave a message, or return what is shown instead of the list."""

    @property
    def url_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{self.slug}"

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.url_name}")

    def url_for_list(self, request: HttpRequest) -> str:
        """Where the list's button leads, as the list is asked for."""
        return self.url

    def is_allowed(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.permission)

    def view(self, request: HttpRequest) -> HttpResponse:
        if not self.is_allowed(request):
            raise PermissionDenied
        return self._post(request) if request.method == "POST" else self.get(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.requires_input and not request.GET.keys() & self.form_class.base_fields.keys():
            return self.render(request, self.form_class())
        return self.render(request, self.form_class(request.GET))

    def _post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST, request.FILES)
        if (self.uploads and PREVIEW_MARKER in request.POST) or not form.is_valid():
            return self.render(request, form)
        try:
            shown = self.perform(request, form.cleaned_data)
        except ActionRefused as refusal:
            self.model_admin.message_user(request, str(refusal), messages.ERROR)
            return self.render(request, self.form_class(request.POST), with_preview=False)
        return shown or HttpResponseRedirect(self._return_url(request))

    def _return_url(self, request: HttpRequest) -> str:
        """The list, for those who may see it."""
        if self.model_admin.has_view_permission(request):
            return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return reverse("admin:index")

    def render(self, request: HttpRequest, form: forms.Form, with_preview: bool = True) -> HttpResponse:
        preview = self._preview(request, form) if with_preview and form.is_bound and form.is_valid() else None
        context = self.model_admin.admin_site.each_context(request) | {
            "title": self.title,
            "opts": self.opts,
            "form": form,
            "uploads": self.uploads,
            "preview": preview,
            "confirmed": [] if preview is None else _confirmed(request, form, preview.get("confirm", {})),
            "way_back": self._return_url(request),
        }
        return TemplateResponse(request, self.template, context | self.page_context(preview))

    def page_context(self, preview: dict[str, Any] | None) -> dict[str, Any]:
        """Return what the template shows besides the form and its preview."""
        return {}

    def _preview(self, request: HttpRequest, form: forms.Form) -> dict[str, Any] | None:
        try:
            return self.preview(form.cleaned_data)
        except ActionRefused as refusal:
            self.model_admin.message_user(request, str(refusal), messages.ERROR)
            return None


def _confirmed(request: HttpRequest, form: forms.Form, shown: dict[str, str]) -> list[tuple[str, str]]:
    """What the confirming form posts: what was asked for or is shown, and what each preview makes anew."""
    given = request.POST if request.method == "POST" else request.GET
    names = [one.name for one in form.visible_fields() if one.name not in shown]
    asked = [(name, value) for name in names for value in given.getlist(name)]
    hidden = [one for one in form.hidden_fields() if one.name not in shown]
    return [*asked, *shown.items(), *((one.name, str(one.initial)) for one in hidden)]


class ActionAdmin(RememberedFiltersAdmin):
    """With the addresses of its action pages, and buttons for those who may use them."""

    action_pages: ClassVar[Sequence[type[ActionPage]]] = ()
    change_form_template = "adminsite/change_form.html"

    def row_actions(self, request: HttpRequest, row: Any) -> list[Button]:
        """The buttons of a row's page, for those who may use them."""
        return []

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = [page(self) for page in self.action_pages]
        own = [path(f"{page.slug}/", wrap(page.view), name=page.url_name) for page in pages]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pages = [page(self) for page in self.action_pages]
        buttons = [(page.title, page.url_for_list(request)) for page in pages if page.is_allowed(request)]
        return super().changelist_view(request, (extra_context or {}) | {"buttons": buttons})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        buttons = [] if obj is None else self.row_actions(request, obj)
        return super().render_change_form(request, context | {"buttons": buttons}, add, change, form_url, obj)


# Form fields that several actions ask for


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


def number_field(name: str, highest: int, **options: Any) -> forms.IntegerField:
    allowed = f"{name}: allowed is a whole number from 1 to {highest:,}."
    return forms.IntegerField(
        min_value=1,
        max_value=highest,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), allowed),
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
