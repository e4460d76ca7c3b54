import { Box } from 'ink';
import { Label, Paragraph } from './Line.tsx';

interface Props {
  readonly explanation: readonly string[];
  readonly columns: number;
}

/** The coordinator's explanation of why a trial is not running, or how it ended. */
export function ExplainView({ explanation, columns }: Props) {
  if (explanation.length === 0) return <Label text="waiting for the coordinator..." columns={columns} style="dim" />;
  return (
    <Box flexDirection="column" flexShrink={0}>
      {explanation.map((text) => (
        <Box key={text} paddingLeft={text.length - text.trimStart().length} width={columns} flexShrink={0}>
          <Paragraph text={text.trimStart()} />
        </Box>
      ))}
    </Box>
  );
}
