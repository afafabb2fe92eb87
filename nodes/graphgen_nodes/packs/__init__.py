"""The node packs: thin modules of signatures and docs; their mathematics is imported when a node runs."""
