"""From a labelled history in a file to the first draft of a loop's YAML."""
