"""Response to OPTIONS."""

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView


class OptionsMetadata(BaseMetadata):
    """Return the allowed methods, the media types and the URL of the schema."""

    def determine_metadata(self, request: Request, view: "APIView") -> dict[str, Any]:
        return {
            "methods": view.allowed_methods,
            "renders": [renderer.media_type for renderer in view.renderer_classes],
            "schema": reverse("schema"),
        }
