import { CHART_STYLE } from './charts/svg.ts';

/**
 * The style of a report's page. Wide content scrolls in its own box, so that the page never scrolls sideways. A shadow
 * at the edge of a box shows that the box has more content.
 */
export const PAGE_STYLE = `${CHART_STYLE}
* {
  box-sizing: border-box;
}
html {
  scroll-padding-top: 1rem;
  -webkit-text-size-adjust: 100%;
}
body {
  margin: 0 auto;
  max-width: 80rem;
  padding: 1.5rem clamp(1rem, 2.5vw, 2rem) 3rem;
  background: var(--ground);
  color: var(--ink);
  font:
    16px / 1.55 system-ui,
    sans-serif;
  overflow-wrap: anywhere;
}
main,
header,
nav {
  min-width: 0;
}
h1 {
  font-size: clamp(1.6rem, 1.2rem + 1.6vw, 2.2rem);
  line-height: 1.15;
  margin: 0;
  letter-spacing: -0.01em;
}
h2 {
  font-size: 1.4rem;
  line-height: 1.25;
  margin: 3.25rem 0 1rem;
  padding-bottom: 0.4rem;
  border-bottom: 1px solid var(--rule);
}
h3 {
  font-size: 1.08rem;
  line-height: 1.35;
  margin: 2rem 0 0.4rem;
}
h4 {
  font-size: 0.9rem;
  margin: 0.5rem 0 0.15rem;
}
a {
  color: var(--s0);
}
.state {
  color: var(--dim);
  margin: 0.5rem 0 0;
}
.prose {
  max-width: 46rem;
  margin: 0.6rem 0;
  white-space: pre-line;
}
.note {
  max-width: 46rem;
  margin: 0.8rem 0;
  padding: 0.5rem 0.9rem;
  border-left: 3px solid var(--s1);
  border-radius: 0 6px 6px 0;
  background: var(--raised);
}
nav {
  margin: 1.25rem 0;
  font-size: 0.9rem;
}
nav ol {
  display: flex;
  flex-wrap: wrap;
  gap: 0.3rem 1.1rem;
  margin: 0;
  padding: 0;
  list-style: none;
}
nav a {
  text-decoration: none;
}
nav a:hover {
  text-decoration: underline;
}
.highlights {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 10rem), 1fr));
  gap: 0.75rem;
  margin: 1.25rem 0 0;
}
.highlights div {
  padding: 0.8rem 1rem;
  border: 1px solid var(--rule);
  border-radius: 10px;
  background: var(--raised);
}
.highlights dt {
  color: var(--dim);
  font-size: 0.85rem;
}
.highlights dd {
  margin: 0;
}
.highlights strong {
  display: block;
  font-size: 1.15rem;
  line-height: 1.35;
  font-variant-numeric: tabular-nums;
}
.highlights span {
  color: var(--dim);
  font-size: 0.85rem;
}
.facts {
  display: grid;
  grid-template-columns: max-content 1fr;
  gap: 0.3rem 1.1rem;
  margin: 0.6rem 0;
  max-width: 56rem;
}
.facts dt {
  color: var(--dim);
}
.facts dd {
  margin: 0;
  min-width: 0;
}
.caption {
  margin: 1.25rem 0 0.3rem;
  color: var(--dim);
  font-size: 0.9rem;
  max-width: 46rem;
}
.scroll {
  overflow-x: auto;
  max-width: 100%;
  background:
    linear-gradient(to right, var(--ground) 30%, transparent) 0 0,
    linear-gradient(to left, var(--ground) 30%, transparent) 100% 0,
    linear-gradient(to right, var(--shade), transparent) 0 0,
    linear-gradient(to left, var(--shade), transparent) 100% 0;
  background-repeat: no-repeat;
  background-size:
    2.5rem 100%,
    2.5rem 100%,
    0.8rem 100%,
    0.8rem 100%;
  background-attachment: local, local, scroll, scroll;
}
table {
  border-collapse: collapse;
  min-width: min(100%, 26rem);
  font-size: 0.88rem;
}
th,
td {
  text-align: left;
  vertical-align: top;
  padding: 0.4rem 0.75rem;
  border-bottom: 1px solid var(--rule);
}
th {
  white-space: nowrap;
  border-bottom: 2px solid var(--rule);
  font-weight: 600;
}
th:first-child,
td:first-child {
  padding-left: 0.25rem;
}
td {
  max-width: 28rem;
  overflow-wrap: break-word;
}
td.long {
  min-width: min(18rem, 70vw);
  overflow-wrap: anywhere;
}
td.number,
th.number {
  text-align: right;
  white-space: nowrap;
  font-variant-numeric: tabular-nums;
}
tbody tr:last-child td {
  border-bottom: 0;
}
tbody tr:hover {
  background: color-mix(in srgb, var(--rule) 35%, transparent);
}
figure {
  margin: 1rem 0 2rem;
}
figcaption {
  color: var(--dim);
  font-size: 0.9rem;
  max-width: 46rem;
}
figcaption strong {
  color: var(--ink);
}
.legend {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem 1.2rem;
  list-style: none;
  padding: 0;
  margin: 0.6rem 0;
  font-size: 0.9rem;
}
.legend svg {
  margin-right: 0.4rem;
  vertical-align: middle;
}
.panels {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 20.5rem), 1fr));
  gap: 0.75rem 1.5rem;
  align-items: end;
  margin: 0.6rem 0;
}
.panels svg {
  display: block;
  width: 100%;
  max-width: 27rem;
  height: auto;
}
.images {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1.25rem 1.5rem;
  margin: 1rem 0;
}
.images figure {
  margin: 0;
  max-width: 40rem;
}
.images img {
  display: block;
  width: 100%;
  height: auto;
  margin-top: 0.3rem;
  image-rendering: pixelated;
  border-radius: 4px;
}
details {
  margin: 0.5rem 0;
}
summary {
  cursor: pointer;
  color: var(--dim);
  font-size: 0.9rem;
}
pre {
  overflow-x: auto;
  margin: 0.6rem 0;
  padding: 0.8rem 1rem;
  border: 1px solid var(--rule);
  border-radius: 8px;
  background: var(--raised);
  font-size: 0.85rem;
  line-height: 1.5;
  overflow-wrap: normal;
}
.badge {
  display: inline-block;
  padding: 0.02rem 0.6rem;
  border: 1.5px solid;
  border-radius: 1rem;
  font-size: 0.82rem;
  font-weight: 600;
  white-space: nowrap;
}
h3 .badge {
  margin-left: 0.35rem;
  vertical-align: 0.08em;
}
.badge.good {
  color: var(--s2);
}
.badge.bad {
  color: var(--s1);
}
.badge.open {
  color: var(--dim);
  border-style: dashed;
}
footer {
  margin-top: 3rem;
  padding-top: 1rem;
  border-top: 1px solid var(--rule);
  color: var(--dim);
  font-size: 0.85rem;
}
:focus-visible {
  outline: 2px solid var(--s0);
  outline-offset: 2px;
}
@media (max-width: 30rem) {
  .highlights div:first-child,
  .highlights div:last-child:nth-child(even) {
    grid-column: 1 / -1;
  }
  .facts {
    grid-template-columns: 1fr;
    gap: 0;
  }
  .facts dd {
    margin-bottom: 0.5rem;
  }
}
@media (min-width: 90rem) {
  body {
    display: grid;
    grid-template-columns: 11.5rem minmax(0, 1fr);
    column-gap: 2.5rem;
    max-width: 94rem;
  }
  header,
  footer {
    grid-column: 2;
  }
  nav {
    grid-column: 1;
    grid-row: 1 / span 2;
    position: sticky;
    top: 2rem;
    align-self: start;
    margin: 0.5rem 0;
  }
  nav ol {
    display: block;
  }
  nav li {
    margin: 0.45rem 0;
  }
  main {
    grid-column: 2;
  }
}
@media print {
  body {
    display: block;
    max-width: none;
    padding: 0;
    font-size: 10pt;
  }
  nav {
    display: none;
  }
  .scroll {
    overflow: visible;
  }
  .panels > div,
  .images figure,
  tr,
  .highlights div {
    break-inside: avoid;
  }
  h2,
  h3,
  .caption {
    break-after: avoid;
  }
  a {
    color: inherit;
  }
  pre {
    white-space: pre-wrap;
  }
}
`;
