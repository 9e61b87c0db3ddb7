"""Missing indexes of the ticket table."""

from django.db import connection
from django.db.models import Index

from tickets.models import PreGeneratedTicket


def missing_indexes() -> list[Index]:
    with connection.cursor() as cursor:
        present = connection.introspection.get_constraints(cursor, PreGeneratedTicket._meta.db_table)
    return [index for index in PreGeneratedTicket._meta.indexes if index.name not in present]


def create_missing_indexes() -> list[str]:
    missing = missing_indexes()
    with connection.schema_editor() as editor:
        for index in missing:
            editor.add_index(PreGeneratedTicket, index)
    return [index.name for index in missing]
