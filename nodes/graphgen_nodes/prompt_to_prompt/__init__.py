"""Prompt-to-Prompt: a picture drawn again for another prompt, with the attention of the first (Hertz et al. 2022)."""
