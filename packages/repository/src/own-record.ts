import { Fault } from '@waltz/errors'
import { fieldReader, type FieldReader } from './field-reader.ts'
import { parseJson, stringifyJson, type JsonOrigin } from './json-text.ts'

/** Which program wrote an object. */
export interface ToolIdentity {
  readonly name: string
  readonly version: string
}

/** Writes one of Waltz's own objects: plain JSON with `version` first. */
export function encodeOwnRecord(version: number, members: Readonly<Record<string, unknown>>): Uint8Array {
  return new TextEncoder().encode(stringifyJson({ version, ...members }, { escaping: 'plain' }))
}

/** @throws Fault `unsupported` `RECORD_VERSION_UNSUPPORTED` for a higher version; `corrupt` as `parseJson` and `fieldReader` do. */
export function decodeOwnRecord(input: Uint8Array | string, version: number, { origin }: JsonOrigin): FieldReader {
  const fields = fieldReader(parseJson(input, { origin }), { origin })
  const found = required(fields, 'version', fields.integer('version'))
  if (found > version) {
    throw new Fault('unsupported', 'RECORD_VERSION_UNSUPPORTED', `${origin} has version ${found}; this program knows ${version}`, {
      context: { key: origin, version: found },
      hint: 'Use a newer version of Waltz.',
    })
  }
  return fields
}

/** The value, or the fault for a field that must be there. */
export function required<T>(fields: FieldReader, name: string, value: T | undefined): T {
  if (value === undefined) throw fields.invalid(name, 'there')
  return value
}

/** The `tool` member. */
export function decodeTool(fields: FieldReader): ToolIdentity {
  const tool = fields.object('tool')
  return { name: tool?.text('name') ?? '', version: tool?.text('version') ?? '' }
}
