"""Marker of requests whose client is unknown. Imports no Django, because settings import this module."""

# Key in request.META that says why the client's IP address cannot be determined; REMOTE_ADDR is empty then.
# An empty REMOTE_ADDR without this key means a Unix socket. No HTTP header can set a key with this name.
UNKNOWN_CLIENT_KEY = "shiolplus.unknown_client"
