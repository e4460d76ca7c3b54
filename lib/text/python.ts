/** Formats values like Python's `str`. The agent of W&B writes values this way on a program's command line. */

export interface PythonStyle {
  /**
   * Whether whole numbers are written as floats (`1.0`), as in the sweep file, and the texts `inf`, `-inf` and `nan` stand
   * for numbers. Default: false.
   */
  readonly float?: boolean;
}

/**
 * Formats a value like `str`, such as `True`, `None`, `1e-07`, `[64, 32]` or `{'a': 1}`. Text is unchanged at the top
 * level, and quoted inside lists and mappings.
 * @param value a JSON value
 */
export function pythonText(value: unknown, style: PythonStyle = {}): string {
  return typeof value === 'string' ? value : pythonLiteral(value, style);
}

const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
]);

/** Returns the number that a text stands for in a parameter of floats; otherwise the text. JSON has no such numbers. */
export function floatOf(text: string, { float = false }: PythonStyle): string | number {
  return (float ? NON_FINITE.get(text) : undefined) ?? text;
}

/** Formats a value like `repr`, with text in quotes. */
export function pythonLiteral(value: unknown, style: PythonStyle = {}): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return pythonNumber(value, style);
  if (typeof value === 'string') {
    const number = floatOf(value, style);
    return typeof number === 'number' ? pythonNumber(number, style) : quoted(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => pythonLiteral(item, style)).join(', ')}]`;
  const entries = Object.entries(value).map(([key, item]) => `${quoted(key)}: ${pythonLiteral(item, style)}`);
  return `{${entries.join(', ')}}`;
}

/** Formats a value like Python's `json.dumps`: `{"lr": 1e-07, "layers": [64, 32]}`, in ASCII. */
export function pythonJson(value: unknown, style: PythonStyle = {}): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean') return `${value}`;
  const plain = typeof value === 'string' ? floatOf(value, style) : value;
  if (typeof plain === 'string') return jsonText(plain);
  if (typeof plain === 'number') {
    if (Number.isFinite(plain)) return pythonNumber(plain, style);
    return Number.isNaN(plain) ? 'NaN' : plain < 0 ? '-Infinity' : 'Infinity';
  }
  if (Array.isArray(value)) return `[${value.map((item) => pythonJson(item, style)).join(', ')}]`;
  const entries = Object.entries(value).map(([key, item]) => `${jsonText(key)}: ${pythonJson(item, style)}`);
  return `{${entries.join(', ')}}`;
}

function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Python writes exponents below 1e-4 and from 1e16 on, with at least two digits. */
function pythonNumber(value: number, { float = false }: PythonStyle): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Number.isSafeInteger(value) && !float) return Object.is(value, -0) ? '0' : `${value}`;
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = '0'] = value.toExponential().split('e');
    const power = Number(exponent);
    return `${digits}e${power < 0 ? '-' : '+'}${`${Math.abs(power)}`.padStart(2, '0')}`;
  }
  const plain = Object.is(value, -0) ? '-0' : `${value}`;
  return Number.isInteger(value) ? `${plain}.0` : plain;
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Uses single quotes, unless the text contains single quotes and no double quotes. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = Array.from(text, (character) => {
    if (character === quote) return `\\${character}`;
    const escaped = ESCAPES[character];
    if (escaped !== undefined) return escaped;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  });
  return `${quote}${body.join('')}${quote}`;
}
