/** Cuts names that share their start or end, such as host names, so that they stay distinguishable. */
import { max } from 'd3-array';
import { columnsOf, truncate } from './width.ts';

const ELLIPSIS = '…';
const SEPARATOR = /[^\p{L}\p{N}]/u;

export interface CommonParts {
  /** The smallest width to which the names can be cut so that different names remain different. */
  readonly minWidth: number;
  /** Whether all names have the same ending, which starts at a separator. */
  readonly hasCommonEnd: boolean;
  /** Cuts one of the names to a width. The parts that all names share are omitted first. */
  readonly cut: (name: string, width: number) => string;
}

/**
 * Finds the start and the end that all names share. The shared start ends with a separator, and the shared end begins
 * with a separator.
 */
export function commonParts(names: readonly string[]): CommonParts {
  const distinct = [...new Set(names)];
  const prefix = prefixOf(distinct);
  const rests = distinct.map((name) => name.slice(prefix.length));
  const suffix = reversed(prefixOf(rests.map(reversed)));
  const widest = max(rests, (rest) => columnsOf(rest.slice(0, rest.length - suffix.length))) ?? 0;
  const marks = Math.min(1, prefix.length) + Math.min(1, suffix.length);
  // All names show the same part of the suffix. If a short name showed a longer part of the suffix, it could look like a
  // longer name.
  const suffixWidth = (width: number) => Math.max(Math.min(1, suffix.length), width - columnsOf(prefix) - widest);
  return {
    minWidth: widest + marks,
    hasCommonEnd: suffix !== '',
    cut: (name, width) => {
      const isOne = distinct.length > 1 && name.startsWith(prefix) && name.endsWith(suffix);
      if (!isOne || columnsOf(name) <= width) return truncate(name, width, 'middle');
      const own = name.slice(prefix.length, name.length - suffix.length);
      const end = suffix === '' ? '' : ELLIPSIS;
      const room = width - columnsOf(own) - columnsOf(end);
      if (columnsOf(prefix) <= room) return prefix + own + truncate(suffix, suffixWidth(width));
      if (room >= 1) return truncate(prefix, room) + own + end;
      return truncate(`${prefix === '' ? '' : ELLIPSIS}${own}${end}`, width, 'middle');
    },
  };
}

/** Returns the start that all names share, up to and including its last separator. Empty for fewer than two names. */
function prefixOf([first = '', ...others]: readonly string[]): string {
  if (others.length === 0) return '';
  const characters = [...first];
  let common = '';
  let kept = '';
  for (const character of characters) {
    if (!others.every((name) => name.startsWith(common + character))) break;
    common += character;
    if (SEPARATOR.test(character)) kept = common;
  }
  return kept;
}

const reversed = (text: string): string => [...text].reverse().join('');
