"""Tables, engines and blobs."""
