"""Recognition: what a spotted event's map shows, by the shipped model or by a run of one's own."""
