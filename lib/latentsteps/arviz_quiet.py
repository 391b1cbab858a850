"""ArviZ without the warning that it gives once a day: import ``arviz`` from here, nowhere else.

Importing ArviZ 0.23 announces, once a day, that version 1 will be different. The course pins the
version it uses, and a notebook's output must not depend on the date.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", category=FutureWarning, message="(?s).*ArviZ is undergoing")
    import arviz

__all__ = ["arviz"]
