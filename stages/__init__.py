"""One thin module per DVC stage: parse, call the library, write."""
