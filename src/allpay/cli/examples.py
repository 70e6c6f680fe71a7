"""What stands at the end of every command's `--help`: lines that can be typed as they are. Tests parse all of them."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "simulate": (
        "allpay simulate --weights 0.8 --plot bids.png",
        "allpay simulate --weights 0.6,0.3,0.1 --group '2: uniform(0,1)' --group '8: uniform(0,0.5), cost 2'",
        "allpay simulate --weights 7500,5000,2500 --bidders 10 --contests 100 --out past.csv",
    ),
    "design": (
        "allpay design --bidders 5 --prizes 3 --out my-study",
        "allpay design my-study --objective top-3",
        "allpay design --bidders 10 --method theory --cost-power 2",
    ),
    "init": ("allpay init study.toml",),
    "run": ("allpay run study.toml", "allpay run study.toml --out results --workers 2"),
    "resume": ("allpay resume my-study",),
    "status": ("allpay status my-study",),
    "export": ("allpay export my-study --format parquet --to rounds.parquet", "allpay export my-study --bids"),
    "equilibrium": (
        "allpay equilibrium --weights 0.8 --plot bids.png",
        "allpay equilibrium --weights 50%,30%,20% --bidders 10 --distribution 'beta(2,5)'",
    ),
    "reproduce": ("allpay reproduce --out demo", "allpay reproduce --learners all"),
    "verify": ("allpay verify", "allpay verify --full --markdown how-we-know.md"),
    "judge": (
        "allpay judge 7500 5000 2500 1000x5 --bidders 50 --cost-power 2",
        "allpay judge 50% 30% 20% --bidders 8 --out judged",
    ),
    "sweep": (
        "allpay sweep --bidders 3:20 --cost-power 2 --plot best.png",
        "allpay sweep --prizes 1:8 --bidders 10 --cost-power 2 --out best.csv",
    ),
    "compare": (
        "allpay compare 0.5,0.3,0.2 --bidders 40,80,120",
        "allpay compare 50%,30%,20% --cost-power 1,2,3 --bidders 10 --out safe",
    ),
    "estimate": ("allpay estimate past.csv --cost-power 2 --out known",),
    "report": ("allpay report my-study", "allpay report my-study --out for-the-board.html"),
    "app": ("allpay app", "allpay app --port 8090 --no-browser"),
    "bundle": ("allpay bundle my-study",),
    "fit": ("allpay fit past.csv",),
}


def epilog_of(command: str) -> str | None:
    """The examples of a command, as its help shows them; None if it has none."""
    lines = EXAMPLES.get(command, ())
    if not lines:
        return None
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])
