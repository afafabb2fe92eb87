"""Pictures: files in and out, geometry, masks, previews and the upscaler's weights."""
