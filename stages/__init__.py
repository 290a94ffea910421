"""One thin module a DVC stage: parse, call the library, write."""
