"""Marker of requests whose client is unknown. Imports no Django, because settings import this module."""

# Key in request.META with the reason; REMOTE_ADDR is empty then. An empty REMOTE_ADDR without this key means
# a Unix socket. No HTTP header can set such a key.
UNKNOWN_CLIENT_KEY = "shiolplus.unknown_client"
