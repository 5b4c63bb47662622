import { assert } from '@waltz/errors'

/** `<object>.tmp.<YYYYMMDDThhmmssZ>-<16 lower hex>`: an upload in progress, or what a crash left of one (RF 1.8). */
const TEMPORARY = /^(.*)\.tmp\.(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{16}$/s
const TEMPORARY_PART = /\.tmp\.\d{8}T\d{6}Z-[0-9a-f]{16}(?:\/|$)/
/** How NFS keeps a file that was deleted while somebody had it open: the system's own, and gone when the file is closed. */
const SILLY_RENAMED = /^\.nfs[0-9a-f]{24}$/
const SILLY_RENAMED_PART = /(?:^|\/)\.nfs[0-9a-f]{24}(?:\/|$)/

const HEX = /^[0-9a-f]{16}$/
const HEX_DIGITS = 16
/** What Linux file systems take as one name. */
const MAX_NAME_BYTES = 255

/** Where temporary names come from. */
export interface NameSource {
  readonly now: () => Date
  /** As many random lower-case hexadecimal digits as asked for. */
  readonly randomHex: (digits: number) => string
}

/** Whether a file name is that of an upload in progress, or of a file that NFS has yet to forget: hidden from every reader. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name) || SILLY_RENAMED.test(name)
}

/** The object that a temporary file was to become, and since when; undefined for other names. */
export function parseTemporaryName(name: string): { readonly name: string; readonly startedAt: Date } | undefined {
  const [, object = '', year, month, day, hours, minutes, seconds] = TEMPORARY.exec(name) ?? []
  if (year === undefined) return undefined
  return { name: object, startedAt: new Date(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`) }
}

/** Whether any part of a key is such a name. */
export function isTemporaryKey(key: string): boolean {
  return TEMPORARY_PART.test(key) || SILLY_RENAMED_PART.test(key)
}

/**
 * A new temporary name for an object called `name`, in the form of RF 1.8. The object's part is shortened where the
 * whole would not fit into a file name.
 */
export function temporaryName(name: string, { now, randomHex }: NameSource): string {
  const hex = randomHex(HEX_DIGITS)
  assert(HEX.test(hex), 'randomHex gives 16 lower-case hexadecimal digits')
  const stamp = now()
    .toISOString()
    .replaceAll(/[-:]|\.\d+/g, '')
  const suffix = `.tmp.${stamp}-${hex}`
  return shortened(name, MAX_NAME_BYTES - suffix.length) + suffix
}

/** The longest beginning of whole characters that fits into `maxBytes` of UTF-8. */
function shortened(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name
  const { read } = new TextEncoder().encodeInto(name, new Uint8Array(maxBytes))
  return name.slice(0, read)
}
