"""Settings that all tests share."""

import signal

from hypothesis import settings

# A busy machine is slow, and that is no failure: no example has a deadline.
settings.register_profile("latentsteps", deadline=None)
settings.load_profile("latentsteps")

# A shell starts what runs in the background with interrupts ignored, and what it starts inherits
# that; some tests interrupt themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)
