"""Generic building blocks for the admin: lists, columns, action pages and export."""
