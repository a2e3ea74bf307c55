"""Everything that changes something outside. Each action is refused unless the guard lets it through."""
