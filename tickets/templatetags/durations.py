"""`{{ seconds|duration }}`: 3 min 20 s."""

from django import template

from tickets.durations import duration

register = template.Library()
register.filter("duration", duration)
