/** Provides hostile text, which a page must show but not interpret, and a document with this text in every field. */
import fc from 'fast-check';
import type { Document, Figure, ReportBlock, ReportTable } from './document.ts';

const FRAGMENTS = [
  ...['<script>alert(1)</script>', '</style><script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<!--', ']]>'],
  ...['"', "'", '" onclick="alert(1)', "' style='color:red", '&lt;', '&', '<', '>', '</title>', '</code></pre>'],
  ...['](javascript:alert(1))', '[a](javascript:alert(1))', '![x](http://evil.example/x.png)', '<http://evil.example>'],
  ...['|', '\\|', '\\', '`', '```', '~~~', '**', '_', '~~', '$x$', '# ', '- ', '1. ', '1) ', '> ', '=', '---', '    '],
  ...[
    '[ref]: javascript:x',
    '[^1]',
    '\u001b[2J',
    '\u0007',
    '\u202e',
    '\u0000',
    '\ufffe',
    '\ud800',
    'a',
    '7',
    ' ',
    'é',
    '😀',
  ],
];

/** Generates one non-empty line, because the writers omit empty parts. */
export const hostileText = fc
  .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ maxLength: 3, unit: 'grapheme' })), { maxLength: 6 })
  .map((parts) => `${parts.join('').replace(/[\r\n\u2028\u2029]+/g, ' ')}x`);

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);

/** Returns a document with every kind of block and with the text in every field. */
export function everywhere(text: string): Document {
  const table: ReportTable = {
    caption: text,
    columns: [
      { header: text, numeric: false },
      { header: text, numeric: true },
    ],
    rows: [
      [text, text],
      [{ text, tone: 'good' }, text],
    ],
  };
  const drawing = { width: 10, height: 10, content: '' };
  const figure: Figure = {
    title: text,
    caption: text,
    legend: [text, text],
    scrolls: false,
    table,
    panels: [
      { title: text, alt: text, drawing },
      { title: '', alt: text, drawing },
    ],
  };
  const blocks: ReportBlock[] = [
    { kind: 'text', text },
    { kind: 'note', text },
    { kind: 'heading', text, badge: { text, tone: 'bad' } },
    { kind: 'facts', rows: [[text, text]] },
    { kind: 'table', table },
    { kind: 'figure', figure },
    { kind: 'figure', figure: { ...figure, scrolls: true, table: undefined } },
    { kind: 'images', images: [{ title: text, caption: text, alt: text, png: PNG }] },
    { kind: 'code', language: 'yaml', text },
  ];
  return {
    title: text,
    state: text,
    written: text,
    highlights: [{ label: text, value: text, detail: text }],
    sections: [{ id: 'one', title: text, blocks }],
  };
}

/** A sweep file with hostile text wherever the schema allows it. */
export const HOSTILE_SWEEP = `
name: "<script>alert(1)</script>](javascript:x) | \`b\` *x*"
description: "# no heading\\n\\n<img src=x onerror=alert(1)> [a](javascript:alert(1))\\n\\n\`\`\`\\nfence\\e[2J"
command: [sh, -c, "exit 1"]
metric: { name: loss, goal: minimize }
parameters:
  kind: { values: ["<svg onload=alert(1)>", "](javascript:x)", "a|b\`c", "\\e[31mred", "&lt;", "line\\nbreak"] }
  other: { values: ["$(touch x)", "\\" onload=\\"alert(1)"] }
seeds: [0, 1]
hypotheses:
  - { name: "H<b>1</b>|\`", about: "<script>alert(5)</script>", claim: loss falls over epochs }
`;
