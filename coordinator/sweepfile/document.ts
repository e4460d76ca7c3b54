/** Converts YAML or JSON text into plain data with positions. JSON is parsed as YAML. */

import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  visit,
} from 'yaml';
import { parameterKey, parameterName } from '../../lib/domain/parameters.ts';
import { pythonJson, withFloats } from '../../lib/text/python.ts';
import { quote, show } from '../../lib/text/quote.ts';
import {
  type Located,
  MAX_SWEEP_FILE_BYTES,
  START,
  SweepFileError,
  SweepFileTooLargeError,
  type TextPosition,
} from './problems.ts';
import { isNonFinite, pyyamlArgument, pyyamlValue } from './pyyaml.ts';
import { isFloat } from './values.ts';

/**
 * The maximum number of tokens of a document. A listed value takes about four tokens. A document with more tokens would
 * take seconds to parse.
 */
const MAX_TOKENS = 50_000;

/** The maximum depth of the document. A level of nested parameters takes two levels of the document. */
const MAX_NESTING = 64;

/** The maximum number of values after aliases are expanded. The limit also stops nested aliases ("YAML bomb"). */
const MAX_VALUES = 50_000;

/** The number of entries of the parser's stack that are not levels of nesting: the document and the current scalar. */
const EXTRA_STACK = 2;

export interface SweepDocument {
  readonly root: Located;
  /** The top-level keys that begin with `x-`, or whose values are used elsewhere through aliases. */
  readonly definitions: readonly string[];
  /** Keys that a W&B file has more than once, with their positions. The last value counts, as in PyYAML. */
  readonly duplicates: readonly (TextPosition & { readonly name: string })[];
  placeOf(offset: number): TextPosition;
}

/** Regular expressions and Windows paths in double quotes contain backslashes, which YAML reads as escape sequences. */
const SINGLE_QUOTES_HINT = '; use single quotes to keep backslashes as they are';

interface SyntaxTree {
  readonly contents: Node | null;
  readonly placeOf: (offset: number) => TextPosition;
  readonly fail: Fail;
}

/**
 * Parses a text into a syntax tree.
 * @throws {SweepFileError} if the text is not a single YAML document within the limits
 */
export function parseSyntax(text: string, fileName: string): SyntaxTree {
  if (text.length > MAX_SWEEP_FILE_BYTES || Buffer.byteLength(text) > MAX_SWEEP_FILE_BYTES) {
    throw new SweepFileTooLargeError(fileName, `${Buffer.byteLength(text).toLocaleString('en')} bytes`);
  }
  const lines = lineCounterOf(text);
  const placeOf = (offset: number): TextPosition => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line, column: col };
  };
  const fail: Fail = (offset, message) => {
    throw new SweepFileError(fileName, [{ ...placeOf(offset), message }]);
  };
  const nul = text.indexOf('\0');
  if (nul >= 0) fail(nul, 'NUL character: is this a text file?');
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false });
  const [document, second] = composer.compose(syntaxOf(text, fail), true, text.length);
  if (document === undefined) throw new SweepFileError(fileName, [{ ...START, message: 'the file is empty' }]);
  const problems = [...document.errors, ...document.warnings].map(({ code, pos, message }) => ({
    ...placeOf(pos[0]),
    message: `not valid YAML: ${message}${code === 'BAD_DQ_ESCAPE' ? SINGLE_QUOTES_HINT : ''}`,
  }));
  if (problems.length > 0) throw new SweepFileError(fileName, problems);
  if (second !== undefined) fail(second.range[0], 'second YAML document: a file can contain only one sweep');
  return { contents: document.contents, placeOf, fail };
}

/** The keys of a W&B file whose values are read as text, so that a name such as `2024` needs no quotes. */
const TEXT_KEYS: ReadonlySet<string> = new Set(['name', 'description', 'program', 'project', 'entity']);

/**
 * The keys of a W&B file under which values are read by PyYAML's rules. `parameters` and `early_terminate` are keys of
 * W&B, and `exclude` and `when` contain values of parameters. All other keys are read by the rules of YAML 1.2, because
 * some of them, such as `wandb`, exist only in trawl: PyYAML would read `wandb: off` as `wandb: false`.
 */
const PYYAML_KEYS: ReadonlySet<string> = new Set(['parameters', 'exclude', 'when', 'early_terminate']);

/**
 * Parses a text into data with positions.
 * @param isWandb whether the document is a W&B file, whose parameters are read by PyYAML's rules
 * @throws {SweepFileError} if the text is not a single YAML document of plain data within the limits
 */
export function parseDocument(
  text: string,
  fileName: string,
  isWandb: (data: unknown) => boolean = () => false,
): SweepDocument {
  const { contents, placeOf, fail } = parseSyntax(text, fileName);
  const targets = targetsOf(contents, fail);
  let reader = new DataReader(targets, fail);
  let root = reader.read(contents, 0, undefined, 0);
  if (isWandb(root.data)) {
    reader = new DataReader(targets, fail, { pyyamlKeys: PYYAML_KEYS, isWandb: true });
    root = reader.read(contents, 0, undefined, 0);
  }
  if (reader.findings.length > 0) {
    const found = reader.findings.map(({ offset, message }) => ({ ...placeOf(offset), message }));
    throw new SweepFileError(fileName, found);
  }
  if (root.data === null) throw new SweepFileError(fileName, [{ ...START, message: 'the file is empty' }]);
  const duplicates = reader.duplicates.map(({ offset, name }) => ({ ...placeOf(offset), name }));
  return { root, definitions: definitionsIn(contents, targets), duplicates, placeOf };
}

/** Keys that many formats reserve for the author of a file, mostly for anchors. */
const EXTENSION_KEY = /^x-/;

function definitionsIn(contents: Node | null, targets: ReadonlyMap<Node, Node>): string[] {
  if (!isMap(contents)) return [];
  const used = new Set(targets.values());
  return contents.items.flatMap(({ key, value }) => {
    if (!isScalar(key) || typeof key.value !== 'string') return [];
    let isUsed = EXTENSION_KEY.test(key.value);
    visit(nodeOf(value), {
      Node(_, node) {
        isUsed ||= used.has(node);
        return isUsed ? visit.BREAK : undefined;
      },
    });
    return isUsed ? [key.value] : [];
  });
}

function lineCounterOf(text: string): LineCounter {
  const lines = new LineCounter();
  for (let start = 0; ; ) {
    lines.addNewLine(start);
    start = text.indexOf('\n', start) + 1;
    if (start === 0) return lines;
  }
}

type Fail = (offset: number, message: string) => never;

/** Yields the syntax tokens. The limits apply during parsing, so that a text beyond a limit is rejected quickly. */
function* syntaxOf(text: string, fail: Fail): Generator<CST.Token, void, undefined> {
  const parser = new Parser();
  let count = 0;
  for (const token of new Lexer().lex(text)) {
    if (++count > MAX_TOKENS) {
      fail(parser.offset, `more than ${MAX_TOKENS} YAML tokens; write long lists as "min", "max" and "step"`);
    }
    for (const syntax of parser.next(token)) {
      checkSyntax(syntax, fail);
      yield syntax;
    }
    if (parser.stack.length > MAX_NESTING + EXTRA_STACK) {
      fail(parser.offset, `nested more than ${MAX_NESTING} levels deep`);
    }
  }
  yield* parser.end();
}

/**
 * Rejects syntax errors and unsupported directives. Parsing stops at the first error, because a damaged file may have
 * one error per character.
 */
function checkSyntax(syntax: CST.Token, fail: Fail): void {
  if (syntax.type === 'error') fail(syntax.offset, `not valid YAML: ${syntax.message}`);
  if (syntax.type === 'directive' && !/^%YAML\s+1\.2\s*$/.test(syntax.source)) {
    fail(
      syntax.offset,
      'YAML directives are not supported; remove the line (YAML 1.1 reads yes, no and 010 differently)',
    );
  }
}

/** Returns the target of each alias: the last earlier node with the same anchor. */
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

interface Finding {
  readonly offset: number;
  readonly message: string;
}

interface ReaderOptions {
  /** The keys under which values are read by PyYAML's rules. */
  readonly pyyamlKeys: ReadonlySet<string>;
  /**
   * Whether the file is read in the same way as W&B reads it. If a key occurs several times, its last value counts, at
   * the position of the first occurrence. Under the keys in `pyyamlKeys`, a key can be a number, a boolean or null. The
   * texts at the top level and the items of a command need no quotes.
   */
  readonly isWandb: boolean;
}

class DataReader {
  readonly findings: Finding[] = [];
  readonly duplicates: { readonly offset: number; readonly name: string }[] = [];
  readonly #targets: ReadonlyMap<Node, Node>;
  readonly #fail: Fail;
  readonly #options: ReaderOptions;
  #isPyyaml = false;
  #isCommand = false;
  #values = 0;

  constructor(
    targets: ReadonlyMap<Node, Node>,
    fail: Fail,
    options: ReaderOptions = { pyyamlKeys: new Set(), isWandb: false },
  ) {
    this.#targets = targets;
    this.#fail = fail;
    this.#options = options;
  }

  /** @param fallback the offset for a missing node, such as the value of `key:` */
  read(node: Node | null, fallback: number, keyOffset: number | undefined, depth: number): Located {
    const offset = startOf(node, fallback);
    if (++this.#values > MAX_VALUES) this.#fail(offset, `more than ${MAX_VALUES} values after alias expansion`);
    // The parser limits the nesting of the text, but an alias to its own parent node has infinite depth.
    if (depth > MAX_NESTING) this.#fail(offset, `nested more than ${MAX_NESTING} levels deep through aliases`);
    const target = isAlias(node) ? (this.#targets.get(node) ?? null) : node;
    if (isMap(target)) return this.#mapping(target.items, offset, keyOffset, depth);
    if (isSeq(target)) return this.#list(target.items, offset, keyOffset, depth);
    const data = isScalar(target) ? this.#scalar(target, offset) : null;
    const written = isScalar(target) && target.type === 'PLAIN' ? target.source : undefined;
    const source = typeof data === 'number' || isNonFinite(written ?? '') ? written : undefined;
    return { data, offset, keyOffset, entries: new Map(), source };
  }

  #mapping(
    pairs: readonly { key: unknown; value: unknown }[],
    offset: number,
    keyOffset: number | undefined,
    depth: number,
  ): Located {
    const own = new Map<string, Located>();
    const merged: Located[] = [];
    for (const { key, value } of pairs) {
      const at = startOf(key, offset);
      if (isMergeKey(key)) {
        merged.push(...this.#merged(value, at, depth + 1));
        continue;
      }
      const name = this.#key(key, at);
      if (name === undefined) continue;
      if (depth === 0) {
        this.#isPyyaml = this.#options.pyyamlKeys.has(name);
        this.#isCommand = this.#options.isWandb && name === 'command';
      }
      const read = this.read(nodeOf(value), at, at, depth + 1);
      const isText = depth === 0 && this.#options.isWandb && TEXT_KEYS.has(name);
      const entry = isText && isScalar(value) ? asText(read, value.source) : read;
      if (own.has(name) && this.#options.isWandb) this.duplicates.push({ offset: at, name: parameterName(name) });
      else if (own.has(name))
        this.findings.push({ offset: at, message: `duplicate key ${quote(parameterName(name))}` });
      own.set(name, entry);
    }
    // A mapping's own keys override merged keys. In a list of merged mappings, the first mapping overrides later
    // mappings.
    const entries = new Map<string, Located>();
    for (const source of merged.reverse()) {
      for (const [name, entry] of source.entries) entries.set(`${name}`, entry);
    }
    for (const [name, entry] of own) entries.set(name, entry);
    const data = Object.fromEntries([...entries].map(([name, entry]) => [name, entry.data]));
    return { data, offset, keyOffset, entries };
  }

  /** Returns the mappings that a merge key (`<<`) adds. */
  #merged(value: unknown, offset: number, depth: number): Located[] {
    const located = this.read(nodeOf(value), offset, offset, depth);
    const sources = Array.isArray(located.data) ? [...located.entries.values()] : [located];
    if (sources.every(({ data }) => typeof data === 'object' && data !== null && !Array.isArray(data))) return sources;
    this.findings.push({ offset, message: 'the key << requires a mapping, or a list of mappings' });
    return [];
  }

  #list(items: readonly unknown[], offset: number, keyOffset: number | undefined, depth: number): Located {
    const list = items.map((item) => {
      const read = this.read(nodeOf(item), offset, undefined, depth + 1);
      return this.#isCommand && depth === 1 ? asArgument(read, this.#targetOf(item)) : read;
    });
    return { data: list.map(({ data }) => data), offset, keyOffset, entries: new Map(list.entries()) };
  }

  #targetOf(node: unknown): unknown {
    return isAlias(node) ? this.#targets.get(node) : node;
  }

  #key(key: unknown, offset: number): string | undefined {
    const node = this.#targetOf(key);
    const name = isScalar(node) ? node.value : undefined;
    if (typeof name === 'string') return parameterKey(name);
    const isPlain = typeof name === 'number' || typeof name === 'boolean' || name === null;
    if (this.#isPyyaml && isPlain && isScalar(node)) return jsonKey(node);
    this.findings.push({ offset, message: 'a key must be text; put quotes around it' });
    return undefined;
  }

  #scalar(scalar: Scalar, offset: number): string | number | boolean | null {
    const { source } = scalar;
    const isPlain = this.#isPyyaml && scalar.type === 'PLAIN' && scalar.tag === undefined;
    const value = (isPlain ? pyyamlValue(source ?? '') : undefined) ?? scalar.value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) {
        this.findings.push({ offset, message: `${quote(source ?? String(value))} is not a finite number` });
      } else if (Number.isInteger(value) && !Number.isSafeInteger(value) && !/[.e]/i.test(source ?? '')) {
        const message = `${show(source)} has too many digits for a number; put quotes around it to make it text`;
        this.findings.push({ offset, message });
      }
      return value;
    }
    return typeof value === 'string' || typeof value === 'boolean' ? value : null;
  }
}

/**
 * Returns the text of a key that YAML 1.2 does not read as text. The text of a float such as `1.0` keeps its decimal
 * point.
 */
function jsonKey({ value, source = '' }: Scalar): string {
  const float = typeof value === 'number' && (!Number.isInteger(value) || isFloat({ data: value, source }));
  return parameterKey(pythonJson(float ? withFloats(value) : value));
}

/** Returns a number or a boolean as its text in the file. All other values are unchanged. */
function asText(located: Located, source: string | undefined): Located {
  const isPlain = typeof located.data === 'number' || typeof located.data === 'boolean';
  return isPlain && source !== undefined ? { ...located, data: source, source: undefined } : located;
}

/** Returns an item of a W&B command as text. */
function asArgument(located: Located, node: unknown): Located {
  if (!isScalar(node) || node.type !== 'PLAIN' || node.tag !== undefined) return located;
  return { ...located, data: pyyamlArgument(node.source ?? '', located.data), source: undefined };
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.value === '<<';
}

function nodeOf(value: unknown): Node | null {
  return isAlias(value) || isMap(value) || isSeq(value) || isScalar(value) ? value : null;
}

function startOf(node: unknown, fallback: number): number {
  return nodeOf(node)?.range?.[0] ?? fallback;
}
