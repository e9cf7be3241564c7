"""What is owed to whom, when it is sent and what becomes of it: pure, no clock, no random, no I/O."""
