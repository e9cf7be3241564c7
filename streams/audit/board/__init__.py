"""Read a published history of the board: names, totals, gains, absences, depth, and remarks about the feed."""
