"""Digital corrections of drift."""
