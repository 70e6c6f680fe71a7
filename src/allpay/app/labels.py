"""What the page calls things, where no computation is needed to say it."""

from collections.abc import Sequence

NAMES = {"revenue": "total effort", "highest-bid": "best entry", "top-3": "mean of the top three"}

FORMS = {
    "revenue": "Total effort: all bids together",
    "highest-bid": "The best entry",
    "top-3": "The three best entries",
    "entrants": "Many who take part",
    "welfare": "Welfare of the bidders",
    "ablest-wins": "That the ablest wins",
}
"""What prizes can be good for, the objectives that the page lists."""

VALUES = {
    "uniform(0,1)": "spread evenly from 0 to 1",
    "beta(2,5)": "most want it little, few much",
    "beta(5,2)": "most want it much, few little",
    "power(3)": "crowded near the top",
    "common": "the same for all, and known",
}

LUCK = {
    "none": "none: the highest bid wins",
    "tullock(1)": "a lottery: chances in proportion to bids",
    "normal(0.2)": "normal noise on bids",
    "gumbel(0.2)": "Gumbel noise on bids",
    "logistic(0.1)": "logistic noise on bids",
}

LEARNERS = {
    "fictitious-play": "fictitious play: best reply to the past",
    "epsilon-greedy": "epsilon-greedy: try, and keep what paid",
    "regret-matching": "regret matching",
    "multiplicative-weights": "multiplicative weights",
    "logit-play": "logit play",
    "interior-point": "interior point: solves the game",
    "logit-equilibrium": "logit equilibrium: people who err",
    "level-k": "level-k: people who think a step ahead",
    "dqn": "DQN: a network each (slow)",
    "ppo": "PPO: a network each (slow)",
}


def told_prizes(shares: Sequence[float], purse: float | None) -> list[str]:
    """Prizes as people read them: in money, or in percent."""
    if purse is None:
        return [f"{100 * share:.3g}\N{NO-BREAK SPACE}%" for share in shares]
    return [f"{purse * share:,.0f}" if purse >= 100 else f"{purse * share:.3g}" for share in shares]
