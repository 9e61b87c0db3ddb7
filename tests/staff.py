"""Logged-in clients of the admin, and texts of its pages."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def client_of(name: str, *permissions: Permission, is_superuser: bool = False) -> Client:
    """Return a client logged in as a member of staff with these permissions."""
    user = User.objects.create(username=name, is_staff=True, is_superuser=is_superuser)
    user.user_permissions.set(permissions)
    client = Client()
    client.force_login(user)
    return client


def superuser() -> Client:
    return client_of("admin", is_superuser=True)


def staff_who_may(*codenames: str) -> Client:
    """Return a client that may view everything and has the named permissions, such as `add_draw`."""
    may_look = Permission.objects.filter(codename__startswith="view_")
    return client_of("staff", *may_look, *Permission.objects.filter(codename__in=codenames))


def text_of(page: Any) -> str:
    """Return a page's source on one line."""
    return " ".join(page.content.decode().split())


def heard_of(page: Any) -> str:
    """Return a page's text without tags."""
    apart = re.sub("</t[dh]>|<br>|</p>", " ", text_of(page))
    return " ".join(re.sub("<[^>]*>", "", apart).split())
