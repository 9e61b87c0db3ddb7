"""The modes: one file each, registered in `registry`."""
