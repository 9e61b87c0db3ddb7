"""How the dashboard writes: `{{ seconds|duration }}` is 3 min 20 s, `{{ text|codes }}` sets commands off."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from tickets.monitoring.durations import duration

register = template.Library()
register.filter("duration", duration)


@register.filter
def codes(text: str) -> SafeString:
    """What stands between backticks is code; the rest is plain text."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))
