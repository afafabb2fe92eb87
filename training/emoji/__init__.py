"""Train the embedded text-to-emoji model: see README.md."""
