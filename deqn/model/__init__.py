"""What an economist declares, and how named variables are packed. No equation is solved here."""
