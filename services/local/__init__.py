"""The local stack: a broker, a Redis and the child processes of `isonomy up`, on loopback only."""
