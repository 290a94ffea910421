"""From a raw source to the index table of a data set: reading, grouping, splitting."""
