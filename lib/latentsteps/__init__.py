"""Latent Steps: the small library behind the course.

Importing it loads no JAX, no NumPyro and no torch: each comes with the module that needs it.
"""

__version__ = "0.1.0"
