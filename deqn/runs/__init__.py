"""From settings to a folder: build, train, evaluate, publish; and the solution that is loaded from it."""
