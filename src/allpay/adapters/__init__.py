"""Other people's agents and solvers: PettingZoo, Gymnasium, OpenSpiel. Each file needs its library, and nothing needs them."""
