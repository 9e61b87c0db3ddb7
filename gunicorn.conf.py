"""gunicorn configuration, read when it starts in this folder. See "Reload" in docs/operations.md."""

import os
import sys

os.umask(os.umask(0o077) | 0o077)  # logs and PID files contain clients' IP addresses

wsgi_app = "shiolplus.wsgi"
bind = "127.0.0.1:8000"  # with PORT set, gunicorn's default is every interface

# WEB_CONCURRENCY sets the number of workers; use one per core. Without CACHE_URL each worker has its own
# response cache and its own rate limit of anonymous requests.
# gthread, because an idle connection would block a sync worker. Two threads: one works while the other waits
# for the database. Measured with two workers on two cores: 4 threads serve 5 % more requests per second, but
# p99 rises from 9.5 to 16 ms; sync workers serve 10 % fewer at a p99 of 20 ms.
worker_class = "shiolplus.web.gunicorn_worker.GracefulReloadWorker"
threads = 2

# Seconds. A stopping worker serves keep-alive connections for 2 more seconds, so a reload closes none early.
keepalive = 2
timeout = 30  # seconds without a heartbeat; requests may take longer
graceful_timeout = 30  # seconds for running requests on reload and stop; systemd kills after 40

# The longest URL is the admin's purge of 200 batches (about 2,000 characters); browsers behind a proxy send
# about 25 headers. Longer requests get 414 or 431.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# shiolplus.web.trusted_proxies reads these headers. By default gunicorn would trust every client on loopback
# and on a Unix socket.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# On a busy disk, writing the heartbeat file can block and make a worker look dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" and os.access("/dev/shm", os.W_OK) else None
preload_app = False  # with preloading, a reload would keep the old code
control_socket_disable = True  # all gunicorn servers of a user would share the socket in the home directory

_json = os.environ.get("SHIOL_LOG_FORMAT") == "json"
logger_class = f"shiolplus.web.gunicorn_worker.{'JsonLogger' if _json else 'LineLogger'}"

# The request id also appears in the log and in problem+json responses.
access_log_format = '%(h)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms request=%({x-request-id}o)s "%(a)s"'
