/** Draws a terminal's screen as SVG. Block and braille characters are drawn as shapes, because a font may lack them. */
import type { PseudoTerminal } from '../support/pseudo-terminal.ts';

type Buffer = PseudoTerminal['buffer'];
type Cell = NonNullable<ReturnType<NonNullable<ReturnType<Buffer['getLine']>>['getCell']>>;

const CELL = { width: 9, height: 18, font: 15, baseline: 14 };
const GROUND = '#16181d';
const TEXT = '#d5d8de';
const PALETTE = ['#16181d', '#d95757', '#7fb069', '#e6b450', '#5b8dd9', '#c678dd', '#4fb8c6', '#d5d8de'];
const FIRST_GRAY = 232;
const BRAILLE = 0x2800;
/** The positions of the dots of a braille cell, by bit. */
const DOTS = [
  [0, 0],
  [0, 1],
  [0, 2],
  [1, 0],
  [1, 1],
  [1, 2],
  [0, 3],
  [1, 3],
] as const;

export function svgOf(buffer: Buffer, columns: number, rows: number): string {
  const shapes: string[] = [];
  for (let y = 0; y < rows; y++) {
    const line = buffer.getLine(buffer.baseY + y);
    for (let x = 0; x < columns; x++) {
      const cell = line?.getCell(x);
      if (cell !== undefined) shapes.push(shapeOf(cell, x * CELL.width, y * CELL.height));
    }
  }
  const [width, height] = [columns * CELL.width, rows * CELL.height];
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const font = `font-family="DejaVu Sans Mono" font-size="${CELL.font}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font}>${rect(0, 0, width, height, GROUND)}${shapes.join('')}</svg>`;
}

function shapeOf(cell: Cell, x: number, y: number): string {
  const own = color(cell.isFgDefault(), cell.getFgColor(), TEXT);
  const behind = color(cell.isBgDefault(), cell.getBgColor(), GROUND);
  const [front, back] = cell.isInverse() ? [behind, own] : [own, behind];
  const ground = back === GROUND ? '' : rect(x, y, CELL.width, CELL.height, back);
  const shape = character(cell.getChars(), x, y, front, cell.isBold() !== 0);
  return ground + (cell.isDim() ? `<g opacity="0.6">${shape}</g>` : shape);
}

function color(isDefault: boolean, index: number, usual: string): string {
  if (isDefault) return usual;
  if (index < FIRST_GRAY) return PALETTE[index % PALETTE.length] ?? usual;
  const gray = Math.round(((index - FIRST_GRAY) / 23) * 255);
  return `rgb(${gray},${gray},${gray})`;
}

const rect = (x: number, y: number, width: number, height: number, fill: string, more = ''): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}"${more}/>`;

function character(text: string, x: number, y: number, fill: string, bold: boolean): string {
  const code = text.codePointAt(0) ?? 0x20;
  const { width, height } = CELL;
  if (text === '' || text === ' ') return '';
  if (code >= BRAILLE && code < BRAILLE + 256) {
    return DOTS.flatMap(([column, row], bit) => {
      if (((code - BRAILLE) & (1 << bit)) === 0) return [];
      const at = `cx="${x + (column + 0.5) * (width / 2)}" cy="${y + (row + 0.5) * (height / 4)}"`;
      return `<circle ${at} r="1.5" fill="${fill}"/>`;
    }).join('');
  }
  if (code >= 0x2581 && code <= 0x2588) {
    const part = ((code - 0x2580) / 8) * height;
    return rect(x, y + height - part, width, part, fill);
  }
  if (text === '▀') return rect(x, y, width, height / 2, fill);
  const shade = { '░': 0.25, '▒': 0.5, '▓': 0.75 }[text];
  if (shade !== undefined) return rect(x, y, width, height, fill, ` opacity="${shade}"`);
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y + CELL.baseline}" fill="${fill}"${bold ? ' font-weight="bold"' : ''}>${escaped}</text>`;
}
