"""What OPTIONS answers."""

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF's views import this module
    from rest_framework.views import APIView


class OptionsMetadata(BaseMetadata):
    """The methods of an address, and where all of them are described."""

    def determine_metadata(self, request: Request, view: "APIView") -> dict[str, Any]:
        return {
            "methods": view.allowed_methods,
            "renders": [renderer.media_type for renderer in view.renderer_classes],
            "schema": reverse("schema"),
        }
