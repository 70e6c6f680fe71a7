"""What a contest is, and what follows from bids: rules, bidders, who turns up; payoffs exactly, and auctions by sampling."""
