"""The Django project: settings, URLs, request handling, logging and shared admin building blocks."""
