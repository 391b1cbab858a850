"""A package, so that its fixtures end with its last test: while playwright runs, no other test
could start an event loop of its own."""
