"""The live page, `allpay app`: a contest on sliders, what it brings, and bidders who learn it.

`state` is what the page and its processes tell each other; `contest` reads it, from boxes, a link or a study file; `split` is
how prizes follow the hand; `answers`, `learning` and `past` compute, in processes that `worker` starts and can stop, and
`words` says it. `page` is what is seen, on NiceGUI; it imports nothing that computes, so that it is there at once.
"""
