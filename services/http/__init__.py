"""What all HTTP processes share: bearer keys, error answers, request metrics, and how a server runs and stops."""
