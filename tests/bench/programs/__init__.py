"""What is measured, and what measures from outside: each a process of its own, `python -m tests.bench.programs.X`."""
