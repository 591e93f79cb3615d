"""The stylesheet of the HTML page: light and dark, for screens of any width and for print."""

STYLE = """
:root { color-scheme: light dark; --bg: #fff; --raised: #f6f8fa; --fg: #1b1f24; --dim: #59636e; --line: #d1d9e0;
  --create: #116329; --update: #7d4e00; --adopt: #0550ae; --delete: #a40e26; --forget: #6639ba;
  --ins: #dafbe1; --del: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; --raised: #151b23; --fg: #e6edf3; --dim: #9198a1;
  --line: #3d444d; --create: #4ac26b; --update: #e3b341; --adopt: #79c0ff; --delete: #ff938a; --forget: #d2a8ff;
  --ins: #12261e; --del: #2d1417; } }
* { box-sizing: border-box; }
body { background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1rem; font-weight: 400; color: var(--dim); margin: 0; }
p.summary { font-size: 1.4rem; font-weight: 600; margin: .2rem 0 1rem; text-wrap: balance; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
nav > * { border: 1px solid var(--line); border-radius: .5rem; background: var(--raised); padding: .4rem .9rem;
  color: var(--dim); text-decoration: none; min-width: 6.5rem; }
nav a:hover, nav a:focus-visible { border-color: currentColor; }
nav b { display: block; font-size: 1.4rem; line-height: 1.3; color: var(--fg); font-variant-numeric: tabular-nums; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 1rem 0; font-size: .87rem; }
dl.facts dt { color: var(--dim); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
section { margin: 2rem 0; }
h2 { position: sticky; top: 0; z-index: 1; background: var(--bg); font-size: 1.1rem; margin: 0; padding: .5rem 0;
  border-bottom: 1px solid var(--line); }
h2 span { color: var(--dim); font-weight: 400; }
ul { margin: .5rem 0; padding-left: 1.2rem; }
li, .name { overflow-wrap: anywhere; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.kind { display: inline-block; min-width: 4.6rem; font-weight: 600; }
.name { font-weight: 600; } .id, .digest { color: var(--dim); font-size: .87rem; }
.id, td { font-family: ui-monospace, monospace; }
details[open] .digest { display: none; }
.badge { color: var(--delete); border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; font-size: .8rem; }
table { border-collapse: collapse; margin: .3rem 0 .3rem 1.1rem; width: calc(100% - 1.1rem); table-layout: fixed; }
th { width: 8.5rem; text-align: left; vertical-align: top; font-weight: 400; color: var(--dim); padding: .1rem 0; }
td { overflow-wrap: anywhere; font-size: .87rem; padding: .1rem 0; }
ins, del { display: block; text-decoration: none; padding: 0 .4rem; border-radius: .2rem; }
ins { background: var(--ins); } del { background: var(--del); }
p.note { margin: .2rem 0 .2rem 1.1rem; color: var(--dim); } p.meaning { margin: .4rem 0; color: var(--dim); }
p.blocked { color: var(--delete); }
.create .kind, nav .create b { color: var(--create); } .update .kind, nav .update b { color: var(--update); }
.adopt .kind, nav .adopt b { color: var(--adopt); } .forget .kind, nav .forget b { color: var(--forget); }
.delete .kind, nav .delete b, nav .alarm b { color: var(--delete); }
@media (max-width: 40rem) { th, td { display: block; width: auto; } nav > * { flex: 1; } }
@media print {
  :root { color-scheme: light; --bg: #fff; --raised: #fff; --fg: #000; --dim: #444; --line: #999; --create: #116329;
    --update: #7d4e00; --adopt: #0550ae; --delete: #a40e26; --forget: #6639ba; --ins: #fff; --del: #fff; }
  body { margin: 0; max-width: none; font-size: 10pt; }
  h2 { position: static; break-after: avoid; }
  details { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  summary { list-style: none; } .digest { display: none; }
}
"""
