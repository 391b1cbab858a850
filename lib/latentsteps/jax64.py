"""JAX with 64-bit floats turned on: import ``jax`` and ``jnp`` from here, nowhere else.

JAX computes in 32 bits unless it is told otherwise before its first array. EM's last digits need
64; where 32 are enough (pixels, networks) the code asks for ``float32`` by name.
"""

import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)

__all__ = ["jax", "jnp"]
