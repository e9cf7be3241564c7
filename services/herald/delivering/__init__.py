"""The rim: follows the topics, holds the lanes, writes down what came of each attempt."""
