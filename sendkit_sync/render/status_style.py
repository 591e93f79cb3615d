"""What the page of the status adds to the style of all pages: a table, a map, and sizes that fit a phone and a wall screen."""

STATUS_STYLE = """
html { font-size: clamp(100%, .5vw + .6rem, 220%); }
body { font-size: .94rem; max-width: min(96vw, 110rem); }
h1 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 2rem; }
p.summary { font-size: 1.8rem; border-left: .5rem solid currentColor; padding-left: .8rem; }
p.calm { color: var(--create); } p.alarm { color: var(--delete); }
p.note { margin-left: 0; font-weight: 600; }
nav b { font-size: 1.6rem; }
section { margin: 1.5rem 0; }
figure { margin: 1.2rem 0; }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin-top: .5rem; color: var(--dim); font-size: .87rem; }
figcaption svg { width: .9em; height: .9em; margin-right: .35em; vertical-align: -.08em; }
svg.shapes { position: absolute; width: 0; height: 0; }
figure div { overflow-x: auto; } svg.map { display: block; width: 100%; }
#good, .bar .done { fill: var(--create); } #fair { fill: var(--update); stroke: var(--update); }
#poor { fill: var(--delete); } #none { fill: none; stroke: var(--dim); }
#problem { stroke: var(--delete); } .bar .lost { fill: var(--delete); }
table.status { margin: .3rem 0; width: 100%; table-layout: fixed; font-variant-numeric: tabular-nums; }
.status th { width: 9%; padding: .25rem .9rem .25rem 0; font-size: .87rem; white-space: nowrap; }
.status th:nth-child(1) { width: 24%; } .status th:nth-child(2) { width: 17%; } .status th:nth-child(7) { width: 14%; }
.status td { font: inherit; padding: .3rem .9rem .3rem 0; vertical-align: top; }
.status tr > * { border-bottom: 1px solid var(--line); }
.status td:first-child { font-weight: 600; }
.status .end { text-align: right; } .status .wrong { color: var(--delete); font-weight: 600; }
.status .rate, .status th:nth-child(7) { padding-left: 1.2rem; white-space: nowrap; }
.bar { width: min(6rem, 55%); height: .6em; margin-right: .6em; border-radius: .2em; vertical-align: .05em; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; } h3 span { color: var(--dim); font-weight: 400; }
@media (max-width: 48rem) {
  p.summary { font-size: 1.3rem; }
  nav > * { flex: 1 0 auto; min-width: 5.5rem; }
  svg.map { width: max(100%, 40rem); max-width: none !important; }
  .status, .status tbody, .status tr, .status td { display: block; }
  .status thead, .status td.empty { display: none; }
  .status tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .status tr > td { border: 0; padding: .05rem 0 !important; text-align: left !important; }
  .status td[data-label]::before { content: attr(data-label); display: inline-block; width: 7.5rem; color: var(--dim);
    font-weight: 400; }
}
@media print { html { font-size: 62%; } .map { max-width: 18cm !important; } }
"""
"""Colors come from the variables of `page_style`, so the dark scheme needs no rules here."""

SHAPES = """\
<svg class="shapes" aria-hidden="true"><defs>
<rect id="good" x="-4" y="-4" width="8" height="8" rx="1"/>
<path id="fair" d="M-3.5-3.5V3.5H3.5V-3.5ZM-3.5 0V3.5H3.5V0Z" fill-rule="evenodd"/>
<path id="poor" d="M-4 4H4L0-4Z"/>
<circle id="none" r="2"/>
<path id="problem" d="M-3.3-3.3L3.3 3.3M3.3-3.3L-3.3 3.3" stroke-width="2.4" stroke-linecap="round"/>
</defs></svg>
"""
"""The marks of the map: they differ in shape too, for whoever does not see the colors."""
