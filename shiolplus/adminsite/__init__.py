"""Building blocks of the admin that know no app: lists, columns, action pages and export."""
