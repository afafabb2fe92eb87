"""Prompts that are pictures: IP-Adapters, recognised, fitted to a denoiser, and added to its attention."""
