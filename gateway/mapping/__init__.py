"""WIRE: referral to destination format."""
