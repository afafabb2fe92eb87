"""Networks that make a denoiser follow a picture: recognised, put beside it as a patch, and called with it."""
