"""Raw sources to one index table a data set: reading, grouping, splitting."""
