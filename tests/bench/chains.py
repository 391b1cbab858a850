"""How long NumPyro's chains draw, apart from how long they compile.

Used by mixture_nuts.py and, in another environment, by bayesforge_blobs.py: one clock for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class OneAfterAnother:
    """A ``chain_method`` for NumPyro's ``MCMC``: compiled first, then run, each on its own clock.

    All chains are one compiled loop, one chain after another: the least work, since nothing is
    compiled for each chain anew and no chain waits for another. One of these belongs to one model
    and its settings; for a second seed it runs again what it has compiled.
    """

    def __init__(self) -> None:
        self.compiling = 0.0
        """CPU seconds of all threads until the loop was compiled."""
        self.sampling = 0.0
        """CPU seconds of all threads that the last run of it took, warm-up included."""
        self._compiled: Callable | None = None

    def __call__(self, one_chain: Callable) -> Callable:
        def all_chains(arguments: Any) -> Any:
            import jax  # loaded long since, by whoever has chains to run

            if self._compiled is None:
                start = time.process_time()
                loop = jax.jit(lambda each: jax.lax.map(one_chain, each))
                self._compiled = loop.lower(arguments).compile()
                self.compiling = time.process_time() - start
            start = time.process_time()
            states = jax.block_until_ready(self._compiled(arguments))
            self.sampling = time.process_time() - start
            return states

        return all_chains
