/** Tests the structure of a pack's graph without libtensorflow. pack.test.ts runs the graph where libtensorflow loads. */
import { describe, expect, test } from 'vitest';
import { layersOf } from './model.ts';
import { PACK_FEEDS, PACK_FETCHES, packGraph } from './pack-graph.ts';

const MEMBER = { lambdaL1: 1e-5, weightDecay: 1e-5, l1InGradient: true };

interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly device: string | undefined;
}

function nodesOf(text: string): ReadonlyMap<string, Node> {
  const nodes = [...text.matchAll(/node \{ name: "([^"]+)" op: "(\w+)"(.*)/g)].map(
    ([, name = '', op = '', rest = '']) => {
      const inputs = [...rest.matchAll(/ input: "([^"]+)"/g)].map(([, input = '']) => input);
      return [name, { op, inputs, device: / device: "([^"]+)"/.exec(rest)?.[1] }] as const;
    },
  );
  return new Map(nodes);
}

const sourceOf = (input: string) => input.replace(/^\^/, '').replace(/:\d+$/, '');

/** Returns the names of the loop's nodes: the Enter nodes and the nodes that depend on them, up to the Exit nodes. */
function loopOf(nodes: ReadonlyMap<string, Node>): ReadonlySet<string> {
  const inside = new Set([...nodes].filter(([, { op }]) => op === 'Enter').map(([name]) => name));
  for (let before = -1; before < inside.size; ) {
    before = inside.size;
    for (const [name, { inputs }] of nodes) {
      if (inputs.map(sourceOf).some((input) => inside.has(input) && nodes.get(input)?.op !== 'Exit')) inside.add(name);
    }
  }
  return inside;
}

describe.each([
  { sameRates: true, noise: false },
  { sameRates: false, noise: true },
])('the graph of a pack (equal rates: $sameRates, noise: $noise)', (options) => {
  const graph = { ...options, layers: layersOf(3, 15), members: [MEMBER, { ...MEMBER, lambdaL1: 0 }] };
  const nodes = nodesOf(packGraph({ ...graph, device: 'GPU:0' }));

  test('every node is on the given device, and every input is the name of a node', () => {
    expect(nodes.size).toBeGreaterThan(100);
    for (const [name, { inputs, device }] of nodes) {
      expect(device, name).toBe('/device:GPU:0');
      for (const input of inputs) expect(nodes.has(sourceOf(input)), `${input} of ${name}`).toBe(true);
    }
  });

  test('every value from outside enters the loop through an Enter node, and the only Exit node returns the losses', () => {
    const loop = loopOf(nodes);
    expect([...nodes.values()].filter(({ op }) => op === 'LoopCond')).toHaveLength(1);
    for (const name of loop) {
      const node = nodes.get(name);
      if (node === undefined || node.op === 'Enter') continue;
      for (const input of node.inputs.map(sourceOf)) expect(loop.has(input), `${input} of ${name}`).toBe(true);
    }
    const exits = [...loop].filter((name) => nodes.get(name)?.op === 'Exit');
    expect(exits).toEqual([PACK_FETCHES.lossesOfSteps]);
  });

  test('a step updates every weight and bias once, both in the loop and as a single step', () => {
    const update = options.sameRates ? 'ResourceApplyAdam' : 'AssignSubVariableOp';
    const updates = [...nodes].filter(([, { op }]) => op === update).map(([name]) => name);
    const loop = loopOf(nodes);
    expect(updates.filter((name) => loop.has(name))).toHaveLength(12);
    expect(updates.filter((name) => !loop.has(name))).toHaveLength(12);
    const waited = (name: string) => nodes.get(name)?.inputs.filter((input) => updates.includes(sourceOf(input)));
    expect(waited(PACK_FETCHES.losses)).toHaveLength(12);
    expect(waited('next-step')).toHaveLength(12);
  });

  test('only a pack with noise has an input for noise', () => {
    const placeholders = [...nodes].filter(([, { op }]) => op === 'Placeholder').map(([name]) => name);
    const feeds = Object.entries(PACK_FEEDS).flatMap(([feed, name]) =>
      feed === 'noise' && !options.noise ? [] : name,
    );
    expect(placeholders.sort()).toEqual(feeds.sort());
  });
});
