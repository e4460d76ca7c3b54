import { Box, renderToString } from 'ink';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Segment } from '../../lib/text/segment.ts';
import { setColors } from '../colors.ts';
import { Line } from './Line.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

const COLORED = { color: true, ascii: false };

beforeAll(() => setColors(COLORED));
afterAll(() => setColors({ ...COLORED, plain: true }));

const drawn = (segments: readonly Segment[]) =>
  renderToString(
    <TerminalStyleContext value={COLORED}>
      <Line segments={segments} columns={20} />
    </TerminalStyleContext>,
  );

const DIM = '\u001b[2m';
const BOLD = '\u001b[1m';
const NOT_BOLD = '\u001b[22m';

test('adjacent pieces of the same style share one escape sequence', () => {
  expect(drawn([{ text: 'a', style: 'dim' }, { text: ' ' }, { text: 'b', style: 'dim' }])).toBe(`${DIM}a b${NOT_BOLD}`);
});

test('spaces at the start of a line have no escape sequence', () => {
  expect(
    drawn([
      { text: '  ', style: 'dim' },
      { text: 'a', style: 'bold' },
    ]),
  ).toBe(`  ${BOLD}a${NOT_BOLD}`);
});

test('spaces that are drawn in reverse video keep their style', () => {
  expect(drawn([{ text: 'a' }, { text: ' ', style: 'inverse' }, { text: ' b' }])).toBe('a\u001b[7m \u001b[27m b');
});

test('spaces at the end of a line have no escape sequence, but still occupy columns', () => {
  const line = renderToString(
    <TerminalStyleContext value={COLORED}>
      <Box>
        <Line segments={[{ text: 'a   ', style: 'cyan' }]} columns={10} />
        <Line segments={[{ text: 'b' }]} columns={10} />
      </Box>
    </TerminalStyleContext>,
  );
  expect(line).toBe('\u001b[36ma\u001b[39m   b');
});
