"""The CSS of the page: light and dark, wide and narrow, without external resources."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --back: #fff; --card: #f6f8fa; --line: #d0d7de;
  --c0: #0072b2; --c1: #b5500b; --c2: #00785a; --c3: #a8457f; --c4: #6a6a00; --c5: #5a4fcf; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --dim: #9aa4af; --back: #0d1117; --card: #161b22; --line: #30363d;
    --c0: #58b4ee; --c1: #f29a54; --c2: #3fc59c; --c3: #e58fc0; --c4: #d9cf4a; --c5: #a79df5; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; color: var(--ink); background: var(--back);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; } p, li { max-width: 46rem; } small, .dim { color: var(--dim); }
.head { background: var(--card); border-left: 4px solid var(--bad); padding: .5rem 1rem; margin: 1rem 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .5rem;
  padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .5rem .75rem; }
.cards b { display: block; font-size: 1.5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .875rem; }
caption { text-align: left; color: var(--dim); }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; max-width: 42rem; height: auto; display: block; } svg text { font-size: 13px; fill: var(--ink); }
svg .g { stroke: var(--line); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; }
nav li { max-width: none; } a { color: var(--c0); } h2 { scroll-margin-top: 1rem; }
main > p, h3 + p { margin: .25rem 0; }
details details { margin-left: .5rem; } details > ul { padding-left: 1.25rem; }
svg .b { fill: var(--c0); } details { margin: .25rem 0 1rem; } summary { cursor: pointer; color: var(--dim); }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); }
.s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
svg .t0 { fill: var(--c0); } svg .t1 { fill: var(--c1); } svg .t2 { fill: var(--c2); } svg .t3 { fill: var(--c3); }
svg .t4 { fill: var(--c4); } svg .t5 { fill: var(--c5); } .tag { color: var(--dim); font-weight: normal; }
"""
