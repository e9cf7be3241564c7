"""Kafka as the gateway, the board and the herald use it: reader, writer, and a queue for each partition."""
