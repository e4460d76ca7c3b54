/** YAML nodes -> plain data with offsets: aliases written out, keys checked, numbers finite. */
import { isAlias, isMap, isScalar, isSeq, type Node, type Scalar, visit } from 'yaml';
import { quote, show } from '../../lib/text/quote.ts';
import type { Located } from './locate.ts';
import { MAX_NESTING } from './tokens.ts';

/** The most pieces of data once aliases are written out; what stops a file of aliases to aliases ("YAML bomb"). */
export const MAX_PIECES = 50_000;

export interface Finding {
  readonly offset: number;
  readonly message: string;
}

type Fail = (offset: number, message: string) => never;

/** @param fail throws; called for what leaves nothing to go on with */
export function plainData(contents: Node | null, fail: Fail): { root: Located; findings: readonly Finding[] } {
  const reading = new Reading(targetsOf(contents, fail), fail);
  return { root: reading.read(contents, 0, undefined, 0), findings: reading.findings };
}

/** The node that each alias stands for: the last of its name before it. */
function targetsOf(contents: Node | null, fail: Fail): ReadonlyMap<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(contents, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target === undefined) return fail(startOf(node, 0), `no anchor &${node.source} before this alias`);
        targets.set(node, target);
      } else if (node.anchor !== undefined) {
        anchors.set(node.anchor, node);
      }
      return undefined;
    },
  });
  return targets;
}

class Reading {
  readonly findings: Finding[] = [];
  readonly #targets: ReadonlyMap<Node, Node>;
  readonly #fail: Fail;
  #pieces = 0;

  constructor(targets: ReadonlyMap<Node, Node>, fail: Fail) {
    this.#targets = targets;
    this.#fail = fail;
  }

  /** @param near where to point when the node itself is missing (`key:` with nothing behind it) */
  read(node: Node | null, near: number, keyOffset: number | undefined, depth: number): Located {
    const offset = startOf(node, near);
    if (++this.#pieces > MAX_PIECES) this.#fail(offset, `more than ${MAX_PIECES} values once aliases are written out`);
    // Parsing limits the nesting of the text; an alias to what contains it would nest for ever.
    if (depth > MAX_NESTING) this.#fail(offset, `nested more than ${MAX_NESTING} levels deep through aliases`);
    const target = isAlias(node) ? (this.#targets.get(node) ?? null) : node;
    if (isMap(target)) return this.#mapping(target.items, offset, keyOffset, depth);
    if (isSeq(target)) return this.#list(target.items, offset, keyOffset, depth);
    const data = isScalar(target) ? this.#scalar(target, offset) : null;
    return { data, offset, keyOffset, entries: new Map() };
  }

  #mapping(
    pairs: readonly { key: unknown; value: unknown }[],
    offset: number,
    keyOffset: number | undefined,
    depth: number,
  ): Located {
    const entries = new Map<string, Located>();
    for (const { key, value } of pairs) {
      const at = startOf(key, offset);
      const name = this.#key(key, at);
      if (name === undefined) continue;
      const entry = this.read(nodeOf(value), at, at, depth + 1);
      if (entries.has(name)) this.findings.push({ offset: at, message: `key ${quote(name)} is given twice` });
      else entries.set(name, entry);
    }
    const data = Object.fromEntries([...entries].map(([name, entry]) => [name, entry.data]));
    return { data, offset, keyOffset, entries };
  }

  #list(items: readonly unknown[], offset: number, keyOffset: number | undefined, depth: number): Located {
    const list = items.map((item) => this.read(nodeOf(item), offset, undefined, depth + 1));
    return { data: list.map(({ data }) => data), offset, keyOffset, entries: new Map(list.entries()) };
  }

  #key(key: unknown, offset: number): string | undefined {
    const node = isAlias(key) ? this.#targets.get(key) : key;
    const name = isScalar(node) ? node.value : undefined;
    if (typeof name === 'string' && name !== '__proto__') return name;
    const message =
      name === '__proto__' ? `${quote(name)} cannot be a key` : 'a key must be text; put quotes around it';
    this.findings.push({ offset, message });
    return undefined;
  }

  #scalar({ value, source }: Scalar, offset: number): string | number | boolean | null {
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) {
        const message = `${quote(source ?? String(value))} is not a finite number; trawl takes finite numbers only`;
        this.findings.push({ offset, message });
      } else if (Number.isInteger(value) && !Number.isSafeInteger(value) && !/[.e]/i.test(source ?? '')) {
        const message = `${show(source)} has more digits than a number holds exactly; in quotes it is text`;
        this.findings.push({ offset, message });
      }
      return value;
    }
    return typeof value === 'string' || typeof value === 'boolean' ? value : null;
  }
}

function nodeOf(value: unknown): Node | null {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value) ? value : null;
}

function startOf(node: unknown, otherwise: number): number {
  return nodeOf(node)?.range?.[0] ?? otherwise;
}
