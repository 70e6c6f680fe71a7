"""From past contests to what bidders value: reading them, making some up to try it, and the distribution behind the bids."""
