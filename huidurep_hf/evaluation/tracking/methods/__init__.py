"""Methods that follow units across sessions, one a file, each a function `track(sessions, folder, model)`."""
