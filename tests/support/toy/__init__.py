"""A whole engine in one folder, to show that one folder and one line are all it takes."""
