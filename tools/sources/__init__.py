"""Readers of the outside world. Each returns frozen data and a SourceState; none prints."""
