"""Messages written for the purpose, each with a golden: what a good reader of mail sees in it."""
