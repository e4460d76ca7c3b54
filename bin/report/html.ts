/** Writes a report as one self-contained HTML file with styles, charts and images. */
import { HTML_MARK } from '../../lib/code/own-output.ts';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { element, escapeMarkup, type SvgAttributes } from './charts/svg.ts';
import type {
  Badge,
  Document,
  Figure,
  Highlight,
  Panel,
  ReportBlock,
  ReportImage,
  ReportTable,
  Section,
} from './document.ts';
import { PAGE_STYLE } from './page-style.ts';

const safe = (text: string): string => escapeMarkup(visibleLines(text));

/** With this policy, the browser loads no external resources and runs no scripts, even if escaping fails. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

export function htmlOf(document: Document): string {
  const contents = document.sections.map(({ id, title }) => `<li><a href="#${id}">${safe(title)}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${HTML_MARK}
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${safe(document.title)} - trawl report</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${safe(document.title)}</h1>
<p class="state">${safe(document.state)}</p>
</header>
<nav aria-label="Contents"><ol>${contents.join('')}</ol></nav>
<main>
${highlightsHtml(document.highlights)}
${document.sections.map(sectionHtml).join('\n')}
</main>
<footer><p>${safe(document.written)}</p></footer>
</body>
</html>
`;
}

function highlightsHtml(highlights: readonly Highlight[]): string {
  const tiles = highlights.map(
    ({ label, value, detail }) =>
      `<div><dt>${safe(label)}</dt><dd><strong>${safe(value)}</strong><span>${safe(detail)}</span></dd></div>`,
  );
  return tiles.length === 0 ? '' : `<dl class="highlights">${tiles.join('')}</dl>`;
}

function sectionHtml({ id, title, blocks }: Section): string {
  return `<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${safe(title)}</h2>
${blocks.map(blockHtml).join('\n')}
</section>`;
}

function blockHtml(block: ReportBlock): string {
  switch (block.kind) {
    case 'text':
      return `<p class="prose">${safe(block.text)}</p>`;
    case 'note':
      return `<p class="note">${safe(block.text)}</p>`;
    case 'facts':
      return `<dl class="facts">${block.rows.map(([name, value]) => `<dt>${safe(name)}</dt><dd>${safe(value)}</dd>`).join('')}</dl>`;
    case 'table':
      return tableHtml(block.table);
    case 'heading':
      return `<h3>${safe(block.text)}${block.badge === undefined ? '' : ` ${badgeHtml(block.badge)}`}</h3>`;
    case 'figure':
      return figureHtml(block.figure);
    case 'images':
      return `<div class="images">${block.images.map(imageHtml).join('\n')}</div>`;
    case 'code':
      return `<pre tabindex="0"><code>${safe(block.text)}</code></pre>`;
  }
}

const badgeHtml = ({ text, tone }: Badge): string => `<span class="badge ${tone}">${safe(text)}</span>`;

function tableHtml({ caption, columns, rows }: ReportTable): string {
  const head = columns.map(({ header, numeric }) => `<th scope="col"${cellClass(numeric)}>${safe(header)}</th>`);
  const body = rows.map((row) => `<tr>${row.map((cell, i) => cellHtml(cell, columns[i]?.numeric)).join('')}</tr>`);
  return `<p class="caption">${safe(caption)}</p>
<div class="scroll" tabindex="0" role="region" aria-label="${safe(caption)}"><table>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody>
</table></div>`;
}

const LONG = 24;

function cellHtml(cell: string | Badge, numeric: boolean | undefined): string {
  if (typeof cell !== 'string') return `<td>${badgeHtml(cell)}</td>`;
  const look = numeric !== true && cell.length >= LONG ? ' class="long"' : cellClass(numeric);
  return `<td${look}>${safe(cell)}</td>`;
}

const cellClass = (numeric: boolean | undefined) => (numeric === true ? ' class="number"' : '');

function figureHtml({ title, caption, legend, panels, scrolls, table }: Figure): string {
  const keys = legend.filter((label) => label !== '').map((label, i) => `<li>${swatch(i)}${safe(label)}</li>`);
  const key = keys.length === 0 ? '' : `<ul class="legend">${keys.join('')}</ul>`;
  const drawn = panels.map((panel) => panelHtml(panel, scrolls)).join('\n');
  const box = scrolls
    ? `<div class="scroll" tabindex="0" role="region" aria-label="${safe(title)}">${drawn}</div>`
    : `<div class="panels">${drawn}</div>`;
  const numbers = table === undefined ? '' : `<details><summary>The numbers</summary>${tableHtml(table)}</details>`;
  return `<figure>
<h3>${safe(title)}</h3>
<figcaption>${safe(caption)}</figcaption>
${key}${box}
${numbers}
</figure>`;
}

function panelHtml({ title, alt, drawing: { width, height, content } }: Panel, scrolls: boolean): string {
  const size: SvgAttributes = scrolls ? { width, height } : {};
  const name = visibleLines(title === '' ? alt : `${title}: ${alt}`);
  const svg = element(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, ...size, role: 'img', 'aria-label': name },
    visibleLines(content),
  );
  return title === '' ? `<div>${svg}</div>` : `<div><h4>${safe(title)}</h4>${svg}</div>`;
}

function swatch(series: number): string {
  const stroke = element('line', { x1: 0, y1: 5, x2: 28, y2: 5, class: `line s${series}` });
  return element('svg', { width: 28, height: 10, 'aria-hidden': 'true' }, stroke);
}

function imageHtml({ title, caption, alt, png }: ReportImage): string {
  const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  const captionHtml = `<figcaption><strong>${safe(title)}</strong> ${safe(caption)}</figcaption>`;
  return `<figure>${captionHtml}<img src="${source}" alt="${safe(alt)}"></figure>`;
}
