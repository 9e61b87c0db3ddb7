"""The same stack with one DRF view that returns `{}`, to measure the cost of the framework."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shiolplus.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.conf import settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Empty(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path("api/empty", Empty.as_view())]
settings.ROOT_URLCONF = __name__
