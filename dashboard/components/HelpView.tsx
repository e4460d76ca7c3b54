import { Box } from 'ink';
import { type KeyBinding, keyLabel, keysOf } from '../keys.ts';
import type { ViewKind } from '../state/ui.ts';
import { Label, Line, Paragraph } from './Line.tsx';

const KEY_COLUMN = 12;
const WIDE = 130;

const NOTES = [
  'filter: NAME = != < <= > >= ~ (contains) !~ VALUE, combined with and, or, not, parentheses',
  'names: metrics, parameters, state, agent, trial, config, epoch, attempts, seed, index, backend, failure',
  '★ on the Pareto front of the metrics   ● marked   ▸ has replicates (→ shows them)   × failed',
];

interface Props {
  readonly view: ViewKind;
  readonly readonly: boolean;
  /** Whether the dashboard shows a replay. */
  readonly replay: boolean;
  readonly columns: number;
}

/** The keys of a view. */
export function HelpView({ view, readonly, replay, columns }: Props) {
  const keys = keysOf(view, readonly, replay);
  const half = Math.ceil(keys.length / 2);
  const width = Math.floor(columns / 2) - 1;
  return (
    <Box flexDirection="column" rowGap={1} flexShrink={0}>
      <Label text={`keys of the ${view} view`} columns={columns} style="bold" />
      {columns >= WIDE ? (
        <Box columnGap={2} flexShrink={0}>
          <Keys keys={keys.slice(0, half)} columns={width} />
          <Keys keys={keys.slice(half)} columns={width} />
        </Box>
      ) : (
        <Keys keys={keys} columns={columns} />
      )}
      <Box flexDirection="column" flexShrink={0}>
        {NOTES.map((text) => (
          <Paragraph key={text} text={text} style="dim" />
        ))}
      </Box>
    </Box>
  );
}

function Keys({ keys, columns }: { readonly keys: readonly KeyBinding[]; readonly columns: number }) {
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      {keys.map(({ keys: names, about, command }) => (
        <Line
          key={command}
          segments={[{ text: names.map(keyLabel).join(' ').padEnd(KEY_COLUMN), style: 'bold' }, { text: ` ${about}` }]}
          columns={columns}
        />
      ))}
    </Box>
  );
}
