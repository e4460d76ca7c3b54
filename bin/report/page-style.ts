import { CHART_STYLE } from './charts/style.ts';

/** Wide things scroll in boxes of their own, so that the page itself never does sideways. */
export const PAGE_STYLE = `${CHART_STYLE}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.8rem;line-height:1.2;margin:.5rem 0 0}
h2{font-size:1.35rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;border-bottom:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
h4{font-size:.9rem;margin:.5rem 0 0}
a{color:var(--s0)}
.state{color:var(--dim);margin:.25rem 0 1rem}
.prose{max-width:46rem;white-space:pre-line}
.note{max-width:46rem;border-left:3px solid var(--s1);padding:.1rem .75rem;color:var(--dim)}
nav ol{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:0;padding:0;list-style:none;font-size:.9rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0;max-width:60rem}
dt{color:var(--dim)}
dd{margin:0;min-width:0}
.scroll{overflow-x:auto;margin:.75rem 0;max-width:100%}
table{border-collapse:collapse;min-width:min(100%,26rem);font-size:.88rem;overflow-wrap:normal}
caption{text-align:left;color:var(--dim);padding:.25rem 0;white-space:normal}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem;border-bottom:1px solid var(--rule)}
th{white-space:nowrap;border-bottom:2px solid var(--rule)}
td{max-width:28rem;min-width:2rem}
td.number,th.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
tbody tr:hover{background:color-mix(in srgb,var(--rule) 40%,transparent)}
figure{margin:1rem 0}
figcaption{color:var(--dim);font-size:.9rem;max-width:46rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;margin:.5rem 0;font-size:.9rem}
.legend svg{margin-right:.4rem;vertical-align:middle}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:.5rem 1.5rem}
.panels svg{display:block;width:100%;max-width:32rem;height:auto}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:1rem 1.5rem}
.pictures figure{margin:0}
.pictures img{display:block;width:100%;height:auto;image-rendering:pixelated;border:1px solid var(--rule)}
summary{cursor:pointer;color:var(--dim);font-size:.9rem}
pre{overflow-x:auto;padding:.75rem 1rem;border:1px solid var(--rule);border-radius:4px;font-size:.85rem;overflow-wrap:normal}
.badge{display:inline-block;margin-left:.5rem;padding:.05rem .6rem;border:1.5px solid;border-radius:1rem;font-size:.85rem}
.badge.good{color:var(--s2)}
.badge.bad{color:var(--s1)}
.badge.open{color:var(--dim);border-style:dashed}
footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
@media (max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}
@media print{body{max-width:none;font-size:10pt}nav{display:none}.scroll{overflow:visible}
figure>div>div,.pictures figure,tr{break-inside:avoid}h2,h3{break-after:avoid}a{color:inherit}pre{white-space:pre-wrap}}
`;
