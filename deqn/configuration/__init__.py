"""The door: words and YAML become checked settings and a model, once. Nothing below it sees a configuration."""
