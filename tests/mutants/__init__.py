"""Changes of one operator or number each, and those that no unit test notices (`make mutants`)."""
