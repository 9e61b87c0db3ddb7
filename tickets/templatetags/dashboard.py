"""Dashboard filters."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tickets.monitoring.durations import duration

register = template.Library()
register.filter("duration", duration)


@register.filter
def codes(text: str) -> SafeString:
    """Escape text and wrap the parts between backticks in <code>."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))
