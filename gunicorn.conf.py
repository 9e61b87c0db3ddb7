"""gunicorn configuration, read when gunicorn is started in this folder, by `make serve` or by systemd.

GUNICORN_CMD_ARGS and command-line flags override it. `kill -HUP` rereads this file and replaces the workers;
see "Reload" in docs/operations.md.
"""

import os
import sys

os.umask(os.umask(0o077) | 0o077)  # access logs and PID files contain IP addresses of clients

wsgi_app = "shiolplus.wsgi"
bind = "127.0.0.1:8000"  # gunicorn's default with PORT set is every interface

# WEB_CONCURRENCY sets the number of workers (default 1); use one per core. Without CACHE_URL each worker has
# its own response cache and its own rate limit of anonymous requests.
# One thread works while the other waits for the database. An idle connection, such as browsers open in
# advance, occupies no thread (shiolplus/web/gunicorn_worker.py), but would block a sync worker. Measured on
# two cores: wrk with 16 connections on cached responses, medians of three to six rounds of 2 s, before idle
# connections were taken off the threads:
#     two workers, 2 threads each     4,650 requests/s   p99  9.5 ms
#     two workers, 4 threads each     4,900 requests/s   p99 16 ms
#     two sync workers                4,200 requests/s   p99 20 ms
worker_class = "shiolplus.web.gunicorn_worker.GracefulReloadWorker"  # gthread with uninterrupted reloads
threads = 2

# Seconds. A stopping worker serves its keep-alive connections for another 2 seconds, so with this value a
# reload closes no connection earlier than its idle timeout would.
keepalive = 2
timeout = 30  # for a worker without heartbeat; requests may take longer
graceful_timeout = 30  # for running requests, on reload and stop; systemd kills after 40

# Longer requests are rejected with 414 or 431 before Django. The longest URL of this project is the admin's
# purge of 200 batches (about 2,000 characters), and browsers behind a proxy send about 25 headers.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190

# shiolplus.web.trusted_proxies evaluates forwarding headers, according to SHIOL_TRUSTED_PROXIES. By default
# gunicorn would trust every client on loopback and on a Unix socket.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# The heartbeat is a file's timestamp; on a busy disk, writing it can block and make a worker look dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" and os.access("/dev/shm", os.W_OK) else None
preload_app = False  # with preloading, a reload would keep the code that the master process has loaded
control_socket_disable = True  # the socket would be in the home directory, shared by all gunicorn servers

_json = os.environ.get("SHIOL_LOG_FORMAT") == "json"
logger_class = f"shiolplus.web.gunicorn_worker.{'JsonLogger' if _json else 'LineLogger'}"

# Used only with `--access-logfile`. %(h)s is the client according to a trusted proxy; the request id also
# appears in var/logs/shiol.log and in problem+json responses.
access_log_format = '%(h)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms request=%({x-request-id}o)s "%(a)s"'
