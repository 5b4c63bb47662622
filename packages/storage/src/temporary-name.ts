import { assert } from '@waltz/errors'

/** `<object>.tmp.<YYYYMMDDThhmmssZ>-<16 lower hex>`: an upload in progress, or what a broken one left (RF 1.8, 9.3). */
const TEMPORARY = /^(.*)\.tmp\.(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[0-9a-f]{16}$/s
const TEMPORARY_PART = /\.tmp\.\d{8}T\d{6}Z-[0-9a-f]{16}(?:\/|$)/
const HEX = /^[0-9a-f]{16}$/
const HEX_DIGITS = 16
/** What file systems take as one name. */
const MAX_NAME_BYTES = 255

/** Where temporary names come from. */
export interface NameSource {
  readonly now: () => Date
  /** As many random lower-case hexadecimal digits as asked for. */
  readonly randomHex: (digits: number) => string
}

/** What the name of a temporary file tells. */
export interface TemporaryName {
  /** The name of the object that it was to become; only its beginning where that is very long. */
  readonly object: string
  /** When its upload began; undefined for a time that there is not. */
  readonly startedAt: Date | undefined
}

/** Reads the name of a temporary file, without its folders. Undefined for other names. */
export function parseTemporaryName(name: string): TemporaryName | undefined {
  const match = TEMPORARY.exec(name)
  if (match === null) return undefined
  const [, object = '', year, month, day, hour, minute, second] = match
  const startedAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return { object, startedAt: Number.isNaN(startedAt.getTime()) ? undefined : startedAt }
}

/** Whether a file name is that of an upload in progress: stores of files hide such files from every reader. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Whether any part of a key is such a name. */
export function isTemporaryKey(key: string): boolean {
  return TEMPORARY_PART.test(key)
}

/**
 * A new key for a temporary file, in the folder of the object `key`, in the form of RF 1.8. The object's name is shortened where the
 * whole would not fit into a file name.
 */
export function temporaryKey(key: string, { now, randomHex }: NameSource): string {
  const hex = randomHex(HEX_DIGITS)
  assert(HEX.test(hex), 'randomHex gives 16 lower-case hexadecimal digits')
  const stamp = now()
    .toISOString()
    .replaceAll(/[-:]|\.\d+/g, '')
  const suffix = `.tmp.${stamp}-${hex}`
  const slash = key.lastIndexOf('/') + 1
  return key.slice(0, slash) + shortened(key.slice(slash), MAX_NAME_BYTES - suffix.length) + suffix
}

/** The longest beginning of whole characters that fits into `maxBytes` of UTF-8. */
function shortened(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name
  const { read } = new TextEncoder().encodeInto(name, new Uint8Array(maxBytes))
  return name.slice(0, read)
}
