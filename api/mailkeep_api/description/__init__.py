"""OpenAPI 3.1, generated from the route table: what a route declares is all there is to say."""
