import { Box } from 'ink';
import { render } from 'ink-testing-library';
import { afterEach, expect, test } from 'vitest';
import { setColors } from '../colors.ts';
import type { ShownEffect } from '../state/effects.ts';
import { ParameterEffect } from './ParameterEffect.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

const SCALE = { low: 1, high: 2 };
const level = (value: string, mean: number, half: number | undefined) => ({
  ...{ value, mean, n: 3, lowest: 1, highest: 2 },
  interval: half === undefined ? undefined : { low: mean - half, high: mean + half },
});
const EFFECT: ShownEffect = {
  ...{ parameter: 'depth', share: 0.6, p: 0.002, significant: true },
  levels: [level('3', 1.25, 0.1), level('5', 1.75, undefined)],
};

const COLOR = { color: true, ascii: false };
const DIM = '\u001b[2m';

afterEach(() => setColors({ color: false, ascii: false, plain: true }));

function drawn(effect: ShownEffect, estimated = false): string[] {
  setColors(COLOR);
  const app = render(
    <TerminalStyleContext value={COLOR}>
      <Box>
        <ParameterEffect effect={effect} scale={SCALE} minimize={true} estimated={estimated} columns={80} />
      </Box>
    </TerminalStyleContext>,
  );
  const lines = (app.lastFrame() ?? '').split('\n');
  app.unmount();
  return lines;
}

test('each parameter value has a dot on the common scale, a mean and a number of results, and also an interval if one is known', () => {
  const [title, first, second] = drawn(EFFECT);
  expect(title).toContain('60.0%  p=0.002');
  expect(first).toMatch(/3 .*├─+●─+┤.* 1\.2500 ±0\.10 +n=3/);
  expect(second).toMatch(/5 .*●.* 1\.7500 +n=3/);
  expect(first?.indexOf('●')).toBeLessThan(second?.indexOf('●') ?? 0);
});

test('an effect that is not significant is gray, and is marked as not significant', () => {
  for (const line of drawn(EFFECT).slice(1)) expect(line).not.toContain(DIM);
  const [title, ...rows] = drawn({ ...EFFECT, p: 0.3, significant: false });
  expect(title).toContain('p=0.300, not significant');
  for (const line of rows) expect(line.startsWith(DIM)).toBe(true);
});

test('an estimated effect is marked as an estimate', () => {
  expect(drawn(EFFECT, true)[0]).toContain('60.0% (estimate)  p=0.002');
  expect(drawn(EFFECT)[0]).not.toContain('estimate');
});

test('a long parameter name is shortened so that "not significant" stays visible, and shortened values stay distinct', () => {
  const path = (version: number) => level(`/data/shared/v${version}/train.npz`, 1.5, undefined);
  const long = {
    ...EFFECT,
    parameter: 'learning_rate_of_the_encoder_and_of_the_decoder_backbone',
    levels: [path(1), path(2)],
  };
  const [title, ...rows] = drawn({ ...long, p: 0.3, significant: false }, true);
  expect(title).toMatch(/learning.*….*backbone.*60\.0% \(estimate\) {2}p=0\.300, not significant/);
  expect(rows[0]).toContain('v1');
  expect(rows[1]).toContain('v2');
});
