"""Settings that all tests share."""

from hypothesis import settings

# A busy machine is slow, and that is no failure: no example has a deadline.
settings.register_profile("latentsteps", deadline=None)
settings.load_profile("latentsteps")
