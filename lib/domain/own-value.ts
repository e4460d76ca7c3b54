/**
 * Returns the value under a name that a user chose; undefined if the record does not have this name. A plain lookup
 * would return inherited values for names such as `constructor`.
 */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
