"""Tells people and services of alerts, one file each.

`wording` says what a message means, `targets` where it may go, `posting` takes it there by HTTP.
"""
