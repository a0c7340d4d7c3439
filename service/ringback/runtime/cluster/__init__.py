"""Waits and joins where several processes share the work: listeners, trackers, mirrors, owners."""
