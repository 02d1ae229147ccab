"""What a run can be told, as typed settings and their allowed values. Nothing is composed or read here."""
