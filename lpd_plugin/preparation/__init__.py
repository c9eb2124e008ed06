"""From recordings of people to heads that can be trained on: found, tracked, cut, matted, written as shards."""
