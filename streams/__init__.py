"""The rules of Isonomy: pure modules, and the thin Faust application at their rim."""
