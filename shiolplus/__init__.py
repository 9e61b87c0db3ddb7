"""The Django project: settings, addresses, and what every request and log line carries."""
