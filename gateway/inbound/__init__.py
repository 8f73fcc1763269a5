"""FRONT DOOR: identity, FHIR and BaRS routes, the token endpoint, errors to HTTP."""
