"""Tables, figures, pages and sentences made from what was measured. Nothing is measured here."""
