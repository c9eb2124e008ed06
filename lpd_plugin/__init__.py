"""LPD: neural head reenactment with latent pose descriptors, for editing and compositing.

Layers, each knowing only those before it:
networks -> learning -> video -> reenactment -> preparation -> evaluation, and
compositing -> graph -> nodes -> rendering -> cli.
"""

__version__ = "0.1.0"
