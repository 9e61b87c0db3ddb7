"""gunicorn configuration, read when it starts in this folder. See "Reload" in docs/operations.md."""

import os
import sys

os.umask(os.umask(0o077) | 0o077)  # logs and PID files contain clients' IP addresses

wsgi_app = "shiolplus.wsgi"
bind = "127.0.0.1:8000"  # with PORT set, gunicorn's default is every interface
preload_app = False  # with preloading, a reload would keep the old code
control_socket_disable = True  # all gunicorn servers of a user would share the socket

# WEB_CONCURRENCY sets the number of workers. 4 threads serve 5 % more, but p99 rises from 9.5 to 16 ms.
worker_class = "shiolplus.web.gunicorn_worker.GracefulReloadWorker"
threads = 2
# On a busy disk, writing the heartbeat file can block and make a worker look dead.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" and os.access("/dev/shm", os.W_OK) else None

# Seconds.
keepalive = 2  # shorter than a stopping worker serves, so a reload closes no connection early
timeout = 30  # without a heartbeat; requests may take longer
graceful_timeout = 30  # for running requests on reload and stop; systemd kills after 40

limit_request_line = 4094  # the admin's purge of 200 batches has about 2,000 characters
limit_request_fields = 64  # browsers behind a proxy send about 25
limit_request_field_size = 8190

# shiolplus.web.trusted_proxies reads these headers; gunicorn would trust loopback and Unix sockets.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

_json = os.environ.get("SHIOL_LOG_FORMAT") == "json"
logger_class = f"shiolplus.web.gunicorn_worker.{'JsonLogger' if _json else 'LineLogger'}"
access_log_format = '%(h)s %(t)s "%(r)s" %(s)s %(b)s %(M)sms request=%({x-request-id}o)s "%(a)s"'
