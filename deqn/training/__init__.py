"""The stages of training, the states that they see, validation, checkpoints. Nothing is judged here."""
