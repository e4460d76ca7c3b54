import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { io } from '@tensorflow/tfjs-core';

/** Loads a model from a folder, as `file://` does in tfjs-node: reads model.json and the files that it lists. */
export function modelFolder(dir: string): io.IOHandler {
  const load = async () => {
    const json: io.ModelJSON = JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'));
    return io.getModelArtifactsForJSON(json, async (manifest) => {
      const paths = manifest.flatMap((group) => group.paths);
      const weights = Buffer.concat(await Promise.all(paths.map((path) => readFile(join(dir, path)))));
      return [manifest.flatMap((group) => group.weights), new Uint8Array(weights).buffer];
    });
  };
  return { load };
}
