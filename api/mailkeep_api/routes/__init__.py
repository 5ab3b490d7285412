"""A module a resource; each holds one table of routes."""
