"""Pure judgement: observations in, findings out. Nothing here reads a file or starts a program."""
