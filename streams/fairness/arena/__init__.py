"""The state of an arena that the detectors read: its registry, sampling policy, ratings and window."""
