"""`gateway certify`: a supplier tries its own endpoint, as the gateway will use it."""
