"""Model fields that sanitise their text on save, bulk_create and update.

Migrations see Django's own field, since the column is the same.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from shiolplus.logs.safe_text import MAX_STORED, is_name, sanitize_json, sanitize_text


def validate_name(name: str) -> None:
    """Raise ValidationError for a blank name or one with control characters."""
    if not is_name(name):
        raise ValidationError("Enter a text that is not blank and has no control characters.")


class _SafeText(models.Field):
    """Sanitise and truncate text; expressions pass unchanged."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return sanitize_text(value, self.max_length or MAX_STORED) if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = super().pre_save(model_instance, add)
        if isinstance(value, str):  # so that the instance has the stored value
            value = self.get_prep_value(value)
            setattr(model_instance, self.attname, value)
        return value


class SafeTextField(_SafeText, models.TextField):
    """A TextField for errors, summaries and other external text."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


class SafeCharField(_SafeText, models.CharField):
    """A CharField for external text, truncated to its length."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class NameField(models.CharField):
    """A CharField for names given by users; blank values and control characters are invalid."""

    default_validators = [validate_name]

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class SafeJSONField(models.JSONField):
    """A JSONField with sanitised text; PostgreSQL rejects NUL and lone surrogates in JSON."""

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(sanitize_json(value))

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
