"""The one widget of the course: an algorithm's states, played, stopped and rewound."""

from latentsteps.stepper.widget import Stepper

__all__ = ["Stepper"]
