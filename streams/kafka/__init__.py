"""Kafka as the stages use it: clients, the consumer that skips nothing, unreadable batches, dead letters."""
