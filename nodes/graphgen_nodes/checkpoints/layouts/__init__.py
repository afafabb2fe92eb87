"""The networks whose original releases graphgen reads: one module each, with its key table."""
