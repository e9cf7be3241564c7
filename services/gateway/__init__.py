"""The gateway: takes votes and model records over HTTP and acknowledges them once Kafka has them."""
