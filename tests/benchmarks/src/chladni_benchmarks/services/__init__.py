"""Services under measurement, and requests to them."""
