"""Desired + recorded (+ live) -> Plan: pure functions, no I/O, no clock."""
