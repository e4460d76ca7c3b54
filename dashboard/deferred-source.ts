import type { Source } from './source.ts';

/**
 * Returns a source that waits for another source, so that the dashboard can open before the connection is established.
 * All calls fail if the other source cannot be created.
 */
export function deferredSource(ready: Promise<Source>): Source {
  let source: Source | undefined;
  ready.then(
    (found) => {
      source = found;
    },
    () => {},
  );
  return {
    get replay() {
      return source?.replay;
    },
    get readonly() {
      return source?.readonly;
    },
    find: async (sweep) => (await ready).find(sweep),
    async *watch(...given) {
      yield* (await ready).watch(...given);
    },
    earlierEvents: async (...given) => (await ready).earlierEvents(...given),
    sweeps: async () => (await ready).sweeps(),
    best: async (...given) => (await ready).best(...given),
    rungs: async (...given) => (await ready).rungs(...given),
    curves: async (...given) => (await ready).curves(...given),
    trial: async (...given) => (await ready).trial(...given),
    async *log(...given) {
      yield* (await ready).log(...given);
    },
    artifact: async (...given) => (await ready).artifact(...given),
    controlSweep: async (...given) => (await ready).controlSweep(...given),
    killTrial: async (...given) => (await ready).killTrial(...given),
    retry: async (...given) => (await ready).retry(...given),
    prioritize: async (...given) => (await ready).prioritize(...given),
    explain: async (...given) => (await ready).explain(...given),
    drain: async (...given) => (await ready).drain(...given),
    importance: async (...given) => (await ready).importance(...given),
    differences: (sets) => source?.differences(sets) ?? sets.map(() => undefined),
  };
}
