"""Old facts in files, so that their stream stays short: written by `shorten`, put back by `restore`."""
