"""Real servers for the tests, each on a private temporary directory and a loopback port, ended with the test."""
