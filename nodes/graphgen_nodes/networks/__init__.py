"""Networks that graphgen writes itself, in the key layouts of their published checkpoints."""
