"""The reference agent: dials the relay and serves one local HTTP service through it. Needs wire and tunnel only."""
