"""The command line: settings and words in, words out. Data on stdout, everything else on stderr."""
