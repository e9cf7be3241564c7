"""The planted-defect table (`python -m tests.planted`): every scenario through the fold, and what it tells of each."""
