"""What leaves the project for other programs: boards in the columns that every reader of leaderboards knows, votes."""
