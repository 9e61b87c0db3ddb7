"""People who use the admin."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def client_of(name: str, *permissions: Permission, is_superuser: bool = False) -> Client:
    """A browser in which a member of staff with these permissions has logged in."""
    user = User.objects.create(username=name, is_staff=True, is_superuser=is_superuser)
    user.user_permissions.set(permissions)
    client = Client()
    client.force_login(user)
    return client


def superuser() -> Client:
    return client_of("admin", is_superuser=True)


def staff_who_may(*codenames: str) -> Client:
    """May look at everything, and what is named: `add_draw`, `delete_pregeneratedticket`."""
    may_look = Permission.objects.filter(codename__startswith="view_")
    return client_of("staff", *may_look, *Permission.objects.filter(codename__in=codenames))


def text_of(page: Any) -> str:
    """A page's source on one line, so that where its template breaks lines does not matter."""
    return " ".join(page.content.decode().split())


def heard_of(page: Any) -> str:
    """What a page says, without its tags."""
    apart = re.sub("</t[dh]>|<br>|</p>", " ", text_of(page))
    return " ".join(re.sub("<[^>]*>", "", apart).split())
