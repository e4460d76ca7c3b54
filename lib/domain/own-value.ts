/**
 * Returns the value that a record has under a name, which may come from a user. Undefined if the record does not have
 * this name. A plain lookup would return inherited values for names such as `constructor`.
 */
export function ownValue<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
