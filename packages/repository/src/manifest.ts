import { fieldReader, type FieldReader } from './field-reader.ts'
import type { JsonOrigin } from './json-text.ts'
import { decodeOwnRecord, decodeTool, encodeOwnRecord, required, type ToolIdentity } from './own-record.ts'

/** An object as it is stored. */
export interface StoredForm {
  /** Stored bytes. */
  readonly size: number
  /** Of the stored bytes, lower-case hex. */
  readonly sha256: string
}

/** One object in `tar_partitions/` as it was stored. */
export interface ManifestPart extends StoredForm {
  /** With its extension. */
  readonly name: string
  /** Length of the tar inside, in bytes. */
  readonly payloadBytes: number
  /** Forms that it may have as well: it is being encrypted with another key. What is inside is the same. */
  readonly alternatives?: readonly StoredForm[]
}

/**
 * What Waltz knows of a backup beyond WAL-G's documents: `basebackups_005/<name>/waltz/manifest.json`. Restore checks the
 * parts against it when it is there.
 */
export interface BackupManifest {
  readonly backup: string
  readonly parts: readonly ManifestPart[]
  /** Of `files_metadata.json`; undefined when the backup has none. */
  readonly filesMetadata: { readonly size: number; readonly sha256: string } | undefined
  /** Symbolic links that were stored as the file behind them: member path and the link's target. */
  readonly links: readonly { readonly path: string; readonly target: string }[]
  /** What was left out, and why. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[]
  readonly warnings: readonly string[]
  /** WAL that was not yet archived when the backup was announced. */
  readonly walPending: readonly string[]
  readonly tool: ToolIdentity
}

const VERSION = 1
const SHA256 = /^[0-9a-f]{64}$/

/** The manifest's bytes. */
export function encodeManifest(manifest: BackupManifest): Uint8Array {
  const { backup, parts, filesMetadata, links, skipped, warnings, walPending, tool } = manifest
  return encodeOwnRecord(VERSION, { backup, parts, filesMetadata, links, skipped, warnings, walPending, tool })
}

/**
 * Reads a manifest; absent lists are empty.
 * @throws Fault `corrupt` `JSON_INVALID` or `JSON_FIELD_INVALID`, `unsupported` `RECORD_VERSION_UNSUPPORTED`.
 */
export function decodeManifest(input: Uint8Array | string, { origin }: JsonOrigin): BackupManifest {
  const fields = decodeOwnRecord(input, VERSION, { origin })
  const list = (name: string): readonly FieldReader[] =>
    (fields.list(name) ?? []).map((item, index) => fieldReader(item, { origin, within: `${name}[${index}].` }))
  const texts = (name: string): readonly string[] =>
    (fields.list(name) ?? []).map((item) => {
      if (typeof item !== 'string') throw fields.invalid(name, 'a list of strings')
      return item
    })
  const filesMetadata = fields.object('filesMetadata')
  return {
    backup: required(fields, 'backup', fields.text('backup')),
    parts: list('parts').map((part) => ({
      name: required(part, 'name', part.text('name')),
      ...decodeStored(part),
      payloadBytes: required(part, 'payloadBytes', part.integer('payloadBytes')),
      ...decodeAlternatives(part, origin),
    })),
    filesMetadata: filesMetadata === undefined ? undefined : decodeStored(filesMetadata),
    links: list('links').map((link) => ({
      path: required(link, 'path', link.text('path')),
      target: required(link, 'target', link.text('target')),
    })),
    skipped: list('skipped').map((entry) => ({
      path: required(entry, 'path', entry.text('path')),
      reason: required(entry, 'reason', entry.text('reason')),
    })),
    warnings: texts('warnings'),
    walPending: texts('walPending'),
    tool: decodeTool(fields),
  }
}

function decodeAlternatives(part: FieldReader, origin: string): Pick<ManifestPart, 'alternatives'> {
  const list = part.list('alternatives') ?? []
  if (list.length === 0) return {}
  return { alternatives: list.map((item, index) => decodeStored(fieldReader(item, { origin, within: `alternatives[${index}].` }))) }
}

function decodeStored(fields: FieldReader): StoredForm {
  const sha256 = required(fields, 'sha256', fields.text('sha256'))
  if (!SHA256.test(sha256)) throw fields.invalid('sha256', '64 lower-case hex digits')
  return { size: required(fields, 'size', fields.integer('size')), sha256 }
}
