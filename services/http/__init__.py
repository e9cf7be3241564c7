"""What every HTTP process here shares: bearer keys, error answers, request metrics, and how a server runs and ends."""
