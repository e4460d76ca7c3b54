/** Says where a running coordinator is, in its folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const ADDRESS_FILE = 'coordinator.json';

const addressFile = z.object({ address: z.string(), pid: z.number().int() });

/** Whoever works on the folder, for a message; undefined when that is not known. */
export function holderOf(dir: string): string | undefined {
  try {
    const { address, pid } = addressFile.parse(JSON.parse(readFileSync(join(dir, ADDRESS_FILE), 'utf8')));
    // Left behind by one that was killed.
    process.kill(pid, 0);
    return `the coordinator at ${address} (process ${pid})`;
  } catch {
    return undefined;
  }
}
