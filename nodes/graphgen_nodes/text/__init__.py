"""Text to conditioning: tokenizers and encoders."""
