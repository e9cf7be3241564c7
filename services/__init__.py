"""The processes people talk to: gateway and command line."""
