"""The door for programs: the JSON API."""
