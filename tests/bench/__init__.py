"""`make bench`: how much mail a second, end to end, beside a server that does nothing with it."""
