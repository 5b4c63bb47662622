import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** MD5 of bytes, hexadecimal as in etags. */
export function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

/** The form of `Content-MD5`. */
export function base64OfHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

/** The form of `x-amz-checksum-crc32`. */
export function crc32Base64(bytes: Uint8Array): string {
  return crcText(crc32(bytes))
}

/**
 * A checksum to be kept beside an object: its CRC-32, which costs a tenth of MD5 to check, and the MD5 that says of which bytes it is.
 * What replaces the bytes and keeps the note has another etag, so the note counts no more.
 */
export function crcNote(bytes: Uint8Array, md5: string): string {
  return `${md5}:${crc32Base64(bytes)}`
}

/** The CRC-32 of a note on the bytes with that MD5; undefined for any other text. */
function notedCrc(note: string | undefined, md5: string): string | undefined {
  const [of, crc] = note?.split(':') ?? []
  return of === md5.toLowerCase() && /^[a-z0-9+/]{6}==$/i.test(crc ?? '') ? crc : undefined
}

/** The etag of an object in parts: the MD5 of the parts' MD5s, and their number. Undefined when an etag is no MD5. */
export function compositeEtag(partEtags: readonly string[]): string | undefined {
  const hash = createHash('md5')
  for (const etag of partEtags) {
    if (!isMd5(etag)) return undefined
    hash.update(Buffer.from(etag, 'hex'))
  }
  return `${hash.digest('hex')}-${partEtags.length}`
}

/** Whether an etag may be the MD5 of the bytes. */
export function isMd5(etag: string | undefined): etag is string {
  return etag !== undefined && /^[0-9a-f]{32}$/i.test(etag)
}

/** Etags travel in quotes; some servers send weak ones. */
export function bareEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '').replaceAll('"', '')
}

/** Takes the bytes of a download one after the other. */
export interface BodyCheck {
  update(bytes: Uint8Array): void
  /** Whether the bytes are those that were promised. */
  matches(): boolean
}

/** What an answer promises about its body. */
export interface BodyPromise {
  readonly size: number
  readonly etag: string | undefined
  /** Whether `etag` is made from MD5s, where its form allows. */
  readonly md5Etag: boolean
  /** `x-amz-checksum-crc32`, `-sha1` and `-sha256` of the whole object. */
  readonly checksums: { readonly crc32?: string | undefined; readonly sha1?: string | undefined; readonly sha256?: string | undefined }
  /** The size of its parts, if known. */
  readonly partBytes: number | undefined
  /** What Waltz noted when it stored it, see `crcNote`. */
  readonly note: string | undefined
}

/** The cheapest check that an answer allows; undefined when it tells nothing. */
export function bodyCheck({ size, etag, md5Etag, checksums, partBytes, note }: BodyPromise): BodyCheck | undefined {
  // Checksums of parts end in "-n" and are no checksum of the bytes.
  if (isWhole(checksums.crc32)) return crcCheck(checksums.crc32)
  if (md5Etag && isMd5(etag)) {
    const crc = notedCrc(note, etag)
    return crc === undefined ? hashCheck('md5', 'hex', etag.toLowerCase()) : crcCheck(crc)
  }
  if (isWhole(checksums.sha256)) return hashCheck('sha256', 'base64', checksums.sha256)
  if (isWhole(checksums.sha1)) return hashCheck('sha1', 'base64', checksums.sha1)
  return md5Etag && etag !== undefined && isOfParts(etag, size, partBytes) ? partsCheck(partBytes ?? 0, etag.toLowerCase()) : undefined
}

/** Whether an etag can be that of an object in parts of that size. */
function isOfParts(etag: string, size: number, partBytes: number | undefined): boolean {
  const count = /^[0-9a-f]{32}-(\d+)$/i.exec(etag)?.[1]
  return count !== undefined && partBytes !== undefined && partBytes > 0 && Math.ceil(size / partBytes) === Number(count)
}

function isWhole(checksum: string | undefined): checksum is string {
  return checksum !== undefined && checksum !== '' && !checksum.includes('-')
}

function crcCheck(expected: string): BodyCheck {
  let value = 0
  return {
    update: (bytes) => (value = crc32(bytes, value)),
    matches: () => crcText(value) === expected,
  }
}

function hashCheck(algorithm: string, encoding: 'hex' | 'base64', expected: string): BodyCheck {
  const hash = createHash(algorithm)
  return {
    update: (bytes) => void hash.update(bytes),
    matches: () => hash.digest(encoding) === expected,
  }
}

function partsCheck(partBytes: number, expected: string): BodyCheck {
  const etags: string[] = []
  let hash: Hash = createHash('md5')
  let filled = 0
  const close = (): void => {
    etags.push(hash.digest('hex'))
    hash = createHash('md5')
    filled = 0
  }
  return {
    update(bytes) {
      for (let offset = 0; offset < bytes.length;) {
        const count = Math.min(bytes.length - offset, partBytes - filled)
        hash.update(bytes.subarray(offset, offset + count))
        filled += count
        offset += count
        if (filled === partBytes) close()
      }
    },
    matches() {
      if (filled > 0) close()
      return compositeEtag(etags) === expected
    },
  }
}

function crcText(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes.toString('base64')
}
