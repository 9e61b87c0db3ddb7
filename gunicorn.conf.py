"""How gunicorn serves this: read by itself when it is started in this folder, by `make serve` and by systemd.

GUNICORN_CMD_ARGS and flags win over what stands here. `kill -HUP` reads this file anew and replaces the
workers; see "Reload" in docs/operations.md.
"""

import os
import sys

os.umask(os.umask(0o077) | 0o077)  # access logs and PID files hold addresses of clients: for this user only

wsgi_app = "shiolplus.wsgi"
bind = "127.0.0.1:8000"  # gunicorn's own default is every address as soon as PORT is set

# Workers, by WEB_CONCURRENCY (1): one a core. Each has its own cache and its own count of anonymous
# requests unless CACHE_URL is set.
# A thread waits where another works, on the database. A client that opened a connection and says nothing, as
# browsers do ahead of time, holds none (shiolplus/web/gunicorn_worker.py); a sync worker would be stuck.
# Measured on two cores: wrk with 16 connections on kept answers, medians of three to six rounds of 2 s,
# before silent connections were taken from the threads:
#     two workers, 2 threads each     4,650 requests/s   p99  9.5 ms
#     two workers, 4 threads each     4,900 requests/s   p99 16 ms
#     two sync workers                4,200 requests/s   p99 20 ms
worker_class = (
    "shiolplus.web.gunicorn_worker.RelievedWorker"  # gthread, which leaves when its relief is there
)
threads = 2

# Seconds. A stopping worker answers what still comes on its kept connections for 2 seconds, then closes them.
# So with 2 here a reload closes no connection sooner than its silence would have.
keepalive = 2
timeout = 30  # for a worker that gives no sign of life; requests may take longer
graceful_timeout = 30  # for the requests under way, on reload and stop; systemd kills after 40

# What is longer never reaches Django: 414 and 431. An address of ours is at most that of the admin's purge of
# 200 batches (about 2,000 characters), and browsers with a proxy send some 25 headers.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# Nobody's word is taken here: shiolplus.web.trusted_proxies decides, by SHIOL_TRUSTED_PROXIES. gunicorn
# believes every client on loopback by default, and on a Unix socket always.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The sign of life is a file's time stamp: on a disk, a busy one would look like a hung worker.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" and os.access("/dev/shm", os.W_OK) else None
preload_app = False  # a reload would go on with the code that the first process has loaded
control_socket_disable = True  # it would lie in the user's home, common to all gunicorns there

_json = os.environ.get("SHIOL_LOG_FORMAT") == "json"
logger_class = f"shiolplus.web.gunicorn_worker.{'JsonLogger' if _json else 'LineLogger'}"

# Only written with `--access-logfile`. %(h)s is the client that a trusted proxy named, and the id is that of
# the lines in var/logs/shiol.log and of problem+json.
access_log_format = '%(h)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms request=%({x-request-id}o)s "%(a)s"'
