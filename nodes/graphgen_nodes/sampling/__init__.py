"""Paths, schedules, samplers, guiders, noise and the one loop that drives them.

`paths`, `schedules`, `options` and `guiders` are plain arithmetic and data and never import torch, so that a workflow
is checked without it; the other modules are the mathematics on tensors and import torch at the top.
"""
