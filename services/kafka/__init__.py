"""Kafka clients of the gateway, the board and the herald: reader, writer, and a queue for each partition."""
