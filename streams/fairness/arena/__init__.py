"""What is known of an arena while it is judged: its registry, sampling policy, ratings and window."""
