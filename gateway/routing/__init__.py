"""RULE: which services could take a referral. Pure functions."""
