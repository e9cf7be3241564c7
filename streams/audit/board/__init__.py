"""What a published history says of the board: names, totals, gains, absences, depth, and remarks about the feed."""
