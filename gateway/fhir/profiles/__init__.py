"""Profiles: what the files of `fhir_profiles/` ask of a message beyond FHIR R4 itself.

`load.load_profiles` reads the folder once, at start-up, and refuses it whole if anything in
it is wrong or not supported. `check.ProfilePass` holds resources against what was read.
"""
