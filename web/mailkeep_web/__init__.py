"""The door for people: the pages."""
