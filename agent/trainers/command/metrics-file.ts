/** Reads a program's metrics file. Each line of the file should be a report. */
import { existsSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { GrowingFile } from './growing-file.ts';
import type { TakeLine } from './output.ts';
import { type OutputLine, OutputLines } from './report/output-lines.ts';
import type { FileSource } from './sources.ts';

/** Follows a metrics file. A program can append to the file, or overwrite the previous report with each new report. */
export function metricsFile(path: string, takeLine: TakeLine, onUnreadable: (line: string) => void): FileSource {
  const file = new GrowingFile(path);
  let lines = new OutputLines();
  let decoder = new StringDecoder('utf8');
  let isCreated = false;

  const take = async (given: Iterable<OutputLine>, isCut: boolean) => {
    for (const line of given) {
      if (line.text.trim() === '' || (line.whole && (await takeLine(line)) !== undefined)) continue;
      if (!isCut) onUnreadable(line.text);
    }
  };
  const poll = async () => {
    isCreated ||= existsSync(path);
    if (!isCreated) return;
    for await (const added of file.added()) {
      if (added.kind === 'bytes') await take(lines.push(decoder.write(added.bytes)), false);
      else {
        await take(lines.end(), true);
        lines = new OutputLines();
        decoder = new StringDecoder('utf8');
      }
    }
  };
  return {
    poll,
    close: () => file.close(),
    end: async () => {
      await take(lines.end(), false);
      return undefined;
    },
  };
}
