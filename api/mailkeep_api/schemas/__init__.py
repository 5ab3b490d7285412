"""The shapes of the API: what it takes (strict, no unknown field) and what it gives; a module a resource."""
