//! How the report looks, beyond what all pages share.

/// Colours are told by words or places too; each pair of ink and paper has a contrast of 4.5 to 1 or more.
pub const STYLE: &str = "\
:root{--ok:#0a5c33;--okp:#e6f4eb;--bad:#9b1c1c;--badp:#fdeaea;--warn:#6b4400;--warnp:#fff3d9;--card:#f6f7f9;\
--created:#2463a8;--adopted:#6f4fa5;--folded:#2c8c99;--left:#8b919b;--held:#c98a00;--failed:#c23030;--track:#e3e6ea;\
--was:#8b919b;--is:#2463a8;--link:#1d5796}\
@media(prefers-color-scheme:dark){:root{--ok:#86dba9;--okp:#12301f;--bad:#ffa3a3;--badp:#3b1717;--warn:#f3cb7d;\
--warnp:#33270c;--card:#1e2127;--created:#6ba6e6;--adopted:#b094e0;--folded:#5cc3cf;--left:#7d848f;--held:#e0a93a;\
--failed:#ef7272;--track:#31363e;--was:#7d848f;--is:#6ba6e6;--link:#8fbdf0}}\
body{margin-top:1rem;overflow-wrap:break-word}h1{margin:.4rem 0;line-height:1.2}h2{scroll-margin-top:1rem}\
a{color:var(--link)}caption{text-align:left;color:var(--soft);padding:.2rem 0;caption-side:top}\
td,th{overflow-wrap:break-word}td:has(svg){width:34%}tbody th{background:none;font-weight:600}th.n{text-align:right}td,th{font-variant-numeric:tabular-nums}\
.verdict{border-left:.5rem solid;padding:.7rem 1rem;margin:1rem 0;font-size:1.15rem;border-radius:.3rem}\
.verdict p{margin:.2rem 0}.verdict ul{margin:.3rem 0 0;padding-left:1.2rem;font-size:.95rem}\
.ok{color:var(--ok);background:var(--okp)}.bad{color:var(--bad);background:var(--badp)}\
.warn{color:var(--warn);background:var(--warnp)}.verdict.ok,.verdict.bad,.verdict.warn{border-color:currentColor}\
.badge{display:inline-block;padding:0 .5rem;border-radius:.8rem;font-size:.85rem;font-weight:600;white-space:nowrap}\
.facts{font-size:.87rem;display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;color:var(--soft);margin:.4rem 0}\
.facts div{display:flex;gap:.4rem}.facts dt{white-space:nowrap}.facts dd{color:var(--ink)}\
.eq{list-style:none;padding:0;margin:.6rem 0}\
.eq li{display:flex;flex-wrap:wrap;gap:.1rem .8rem;align-items:baseline;padding:.35rem 0;\
border-bottom:1px solid var(--line)}\
.eq .row{min-width:15rem;font-weight:600}.eq .sum{flex:1 1 20rem}.eq .zero{color:var(--soft)}\
.eq .t{white-space:nowrap}\
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(15.5rem,1fr));gap:.6rem;list-style:none;padding:0}\
.cards li{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.5rem .8rem}\
.cards h3{margin:0;font-size:.95rem}.cards p{margin:.1rem 0;font-size:.9rem}.cards .big{font-size:1.15rem;font-weight:600}\
svg.bar{display:block;width:100%;min-width:7rem;height:.75rem;margin:.15rem 0;border-radius:.2rem}\
svg.time{display:block;width:100%;height:9rem;background:var(--card);border:1px solid var(--line)}\
svg .none{fill:var(--track)}svg .created,svg .is{fill:var(--created)}svg .is{fill:var(--is)}\
svg .adopted{fill:var(--adopted)}svg .folded,svg .listed,svg .routed{fill:var(--folded)}svg .left{fill:var(--left)}\
svg .held{fill:var(--held)}svg .failed{fill:var(--failed)}svg .pending{fill:var(--track);stroke:var(--ink)}\
svg .was{fill:var(--was)}svg .limit{stroke:var(--failed);stroke-width:2;stroke-dasharray:8 5;fill:none}\
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:.3rem 0;font-size:.87rem}\
.key svg{width:.8rem;height:.8rem;margin-right:.35rem;vertical-align:-.05rem}\
td.w{width:38%}.ends{display:flex;justify-content:space-between;font-size:.8rem;color:var(--soft)}\
details{margin:.4rem 0;border:1px solid var(--line);border-radius:.3rem;padding:.3rem .7rem}\
summary{cursor:pointer;font-weight:600}details .wide{max-height:32rem;overflow:auto}\
.two{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1.4rem}.wrong td,.wrong th{background:var(--badp)}\
.sign td{height:2.8rem}nav{font-size:.9rem}\
@media(max-width:700px){body{padding:0 .7rem}.two{grid-template-columns:minmax(0,1fr)}.eq .row{min-width:100%}h1{font-size:1.3rem}\
dl{grid-template-columns:minmax(0,1fr)}.facts dd,.eq .sum,.cards li{min-width:0;overflow-wrap:anywhere}.eq .t{white-space:normal}}\
@media print{:root{--ok:#0a5c33;--okp:#fff;--bad:#9b1c1c;--badp:#fff;--warn:#6b4400;--warnp:#fff;--card:#fff;\
--created:#2463a8;--adopted:#6f4fa5;--folded:#2c8c99;--left:#8b919b;--held:#c98a00;--failed:#c23030;--track:#e3e6ea;\
--was:#8b919b;--is:#2463a8;--link:#000}\
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}.cards li,.eq li,figure,.verdict{break-inside:avoid}\
.skip{display:none}details .wide{max-height:none}a{text-decoration:none}}";
