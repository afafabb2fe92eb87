"""A pack that cannot be imported, for tests."""

raise ImportError("libmissing.so: cannot open shared object file")
