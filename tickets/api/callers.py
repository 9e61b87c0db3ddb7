"""How a request from an unknown client is marked. Free of Django: settings import the code that marks it."""

# In a request's META, beside an empty REMOTE_ADDR: why the client cannot be determined. An empty REMOTE_ADDR
# alone is a peer on a Unix socket. No header of a request can have this name.
UNKNOWN_CLIENT_KEY = "shiolplus.unknown_client"
