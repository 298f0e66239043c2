"""Programs for operators and developers: sample audio, evaluation, measurements."""
