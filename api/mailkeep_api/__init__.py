"""The door for programs: the JSON API, and the HTTP plumbing that the pages share."""
