"""Translates: Genesys frames to snapshots, emitted events to CloudEvents. No input or output."""
