"""The gateway: votes and model records come in over HTTP and are acknowledged once Kafka has them."""
