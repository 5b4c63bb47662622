import type { SystemIdentifier } from '@waltz/pg-structures'
import type { JsonOrigin } from './json-text.ts'
import { decodeOwnRecord, decodeTool, encodeOwnRecord, required, type ToolIdentity } from './own-record.ts'
import { parseTimestamp } from './timestamp.ts'

/** Which PostgreSQL cluster a repository belongs to: `waltz/cluster.json`. */
export interface ClusterIdentity {
  readonly systemIdentifier: SystemIdentifier
  /** When the record was written: RFC 3339. */
  readonly createdAt: string
  readonly tool: ToolIdentity
  /** Whether encrypted objects were stored: from then on nothing may be stored as it is, unless somebody insists. */
  readonly encrypted: boolean
}

const VERSION = 1

/** The record's bytes. The identifier is a string of digits, so that no reader rounds it. */
export function encodeClusterIdentity({ systemIdentifier, createdAt, tool, encrypted }: ClusterIdentity): Uint8Array {
  return encodeOwnRecord(VERSION, { systemIdentifier: systemIdentifier.toString(), createdAt, tool, ...(encrypted && { encrypted }) })
}

/** @throws Fault `corrupt` `JSON_INVALID` or `JSON_FIELD_INVALID`, `unsupported` `RECORD_VERSION_UNSUPPORTED`. */
export function decodeClusterIdentity(input: Uint8Array | string, { origin }: JsonOrigin): ClusterIdentity {
  const fields = decodeOwnRecord(input, VERSION, { origin })
  const digits = required(fields, 'systemIdentifier', fields.text('systemIdentifier'))
  if (!/^\d{1,20}$/.test(digits) || BigInt(digits) >= 1n << 64n)
    throw fields.invalid('systemIdentifier', 'an unsigned 64-bit number in quotes')
  const createdAt = required(fields, 'createdAt', fields.text('createdAt'))
  if (parseTimestamp(createdAt) === undefined) throw fields.invalid('createdAt', 'an RFC 3339 time')
  return {
    systemIdentifier: BigInt(digits) as SystemIdentifier,
    createdAt,
    tool: decodeTool(fields),
    encrypted: fields.flag('encrypted') ?? false,
  }
}
