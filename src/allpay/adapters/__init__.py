"""Other people's agents, solvers and optimisers: each file needs its library, and nothing needs them."""
