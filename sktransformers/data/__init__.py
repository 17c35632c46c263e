"""From users' containers to padded batches: the way in."""
