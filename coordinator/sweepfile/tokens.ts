/** The syntax of a YAML text, within limits that keep any text of a sweep file's size quick to refuse. */
import { type CST, Lexer, type LineCounter, Parser } from 'yaml';

/** The most lexical tokens of a file (a listed value takes about four): beyond it parsing would take seconds. */
export const MAX_TOKENS = 50_000;

/** The deepest that lists and mappings nest; a sweep needs five levels. */
export const MAX_NESTING = 16;

/** Levels of the parser's stack that are no nesting of the user's: the document, and the scalar being read. */
const STACK_BESIDES = 2;

/** Throws. */
type Fail = (offset: number, message: string) => never;

/** @param fail called with an offset in the text and what is wrong there */
export function* syntaxOf(text: string, lines: LineCounter, fail: Fail): Generator<CST.Token, void, undefined> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let count = 0;
  for (const token of new Lexer().lex(text)) {
    if (++count > MAX_TOKENS) {
      fail(parser.offset, `more than ${MAX_TOKENS} words and signs in one file; write long lists as min, max and step`);
    }
    for (const syntax of parser.next(token)) {
      refuse(syntax, fail);
      yield syntax;
    }
    if (parser.stack.length > MAX_NESTING + STACK_BESIDES) {
      fail(parser.offset, `nested more than ${MAX_NESTING} levels deep; a sweep file needs no more than five`);
    }
  }
  yield* parser.end();
}

/** Stops at what would otherwise be told of once for every sign in the file, or would change how the rest is read. */
function refuse(syntax: CST.Token, fail: Fail): void {
  if (syntax.type === 'error') fail(syntax.offset, `not valid YAML: ${syntax.message}`);
  if (syntax.type === 'directive' && !/^%YAML\s+1\.2\s*$/.test(syntax.source)) {
    fail(syntax.offset, 'directives are not supported (YAML 1.1 reads yes, no and 010 as other things); drop the line');
  }
}
