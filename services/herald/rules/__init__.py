"""The delivery rules: who gets which alert, when, and what a failure leads to. Pure: no clock, no random, no I/O."""
