"""The OpenAPI schema of the API and its documentation page."""
