"""Generation of tickets from stored predictions, and the API that serves them."""
