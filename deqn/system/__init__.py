"""The ground: files, clocks, signals, processes and the loading of TensorFlow. Nothing here knows economics."""
