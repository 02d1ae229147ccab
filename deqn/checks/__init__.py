"""What is wrong with a model or with numbers, found and named. Nothing is trained or judged here."""
