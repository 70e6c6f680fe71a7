"""allpay: design all-pay auctions and contests by simulation."""
