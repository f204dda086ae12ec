// The style sheet of the benchmarks' page: light and dark by the reader's setting, one column on a phone.
#pragma once

namespace fireline::bench {

inline constexpr const char* kPageStyle = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b2430; --faint: #5f6b7a; --line: #dfe3e8;
  --s0: #2563eb; --s1: #d9730d; --s2: #0f9d76; --s3: #b832b8; --s4: #d03a3a; --s5: #0891b2; --s6: #8a6116;
  --forwarder: #64748b; --veth: #a3aebb; --good: #0f8a5f; --bad: #c62f2f; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --faint: #98a4b3;
  --line: #323b47; --s0: #6ea2ff; --s1: #f3a152; --s2: #41cf9f; --s3: #e07fe0; --s4: #f47c7c; --s5: #4fc8e4;
  --s6: #d0a559; --forwarder: #93a1b5; --veth: #65717f; --good: #41cf9f; --bad: #f47c7c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; letter-spacing: -.01em; }
h2 { margin: 2.2rem 0 .8rem; font-size: 1.2rem; }
h3 { margin: 0; font-size: 1rem; }
h4 { margin: .7rem 0 .1rem; font-size: .8rem; font-weight: 600; color: var(--faint); }
p { margin: .2rem 0; }
small, .unit, .note { color: var(--faint); font-size: .8rem; }
code { font: .85em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.facts { margin: .6rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1.6rem; color: var(--faint); font-size: .85rem; }
.facts div { display: flex; gap: .4rem; }
.facts dd { margin: 0; color: var(--ink); }
.axis { margin-top: .1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.2rem 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.cards { columns: 2 30rem; column-gap: 1rem; margin-top: .8rem; }
.card { margin: 0 0 1rem; break-inside: avoid; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem;
  container-type: inline-size; }
.row { display: grid; grid-template-columns: 8rem minmax(0, 1fr) 9.6rem; gap: 0 .6rem; align-items: center; }
.row .name { font-size: .85rem; }
.row .value { font-size: .85rem; font-variant-numeric: tabular-nums; }
.row em { font-style: normal; color: var(--faint); font-size: .8rem; white-space: nowrap; }
.axis svg { grid-column: 2; }
@container (max-width: 31rem) {
  .row { grid-template-columns: minmax(0, 1fr) auto; }
  .row svg { grid-row: 2; grid-column: 1 / -1; }
  .row .value { text-align: right; }
}
svg { display: block; width: 100%; overflow: visible; }
svg text { fill: var(--faint); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg rect { fill: var(--tone); opacity: .8; }
svg circle { fill: var(--tone); stroke: var(--card); stroke-width: 1; }
svg .range { stroke: var(--ink); stroke-width: 1.5; }
svg.curves text { paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
polyline { fill: none; stroke: var(--tone); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; margin: .4rem 0 .3rem; }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: .2rem; background: var(--tone);
  margin-right: .35rem; }
.s0 { --tone: var(--s0); } .s1 { --tone: var(--s1); } .s2 { --tone: var(--s2); } .s3 { --tone: var(--s3); }
.s4 { --tone: var(--s4); } .s5 { --tone: var(--s5); } .s6 { --tone: var(--s6); }
.forwarder { --tone: var(--forwarder); } .veth { --tone: var(--veth); }
details { margin: 1rem 0 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem 1rem; }
summary { cursor: pointer; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; margin: .6rem 0 .2rem; }
th, td { text-align: right; padding: .2rem .8rem .2rem 0; border-top: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; }
.pass { color: var(--good); } .fail { color: var(--bad); }
)css";

}  // namespace fireline::bench
