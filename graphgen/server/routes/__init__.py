"""The handlers, a module for each kind of thing; each module's `ROUTES` says how they are called."""
