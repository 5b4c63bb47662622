import { isDareHeader } from './dare.ts'

/** What the first bytes of a stored object look like (RF 7.7). */
export type Framing = 'yandex-kms' | 'envelope-openpgp' | 'openpgp' | 'aws-kms' | 'lz4' | 'zstd' | 'lzma' | 'gzip' | 'lzo'

/** How many bytes `recognizeFraming` looks at, at most. */
export const framingHeadBytes = 200

const AWS_DARE_AT = 184
const PLAIN: ReadonlySet<Framing> = new Set(['lz4', 'zstd', 'lzma', 'gzip', 'lzo'])

/** Whether a framing is that of a compressed object which is not encrypted. */
export function isPlainFraming(framing: Framing | undefined): boolean {
  return framing !== undefined && PLAIN.has(framing)
}

interface Magic {
  readonly framing: Framing
  readonly bytes: readonly number[]
  readonly fits?: (head: Uint8Array) => boolean
}

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')]

/** In the order of how much they prove. */
const MAGICS: readonly Magic[] = [
  { framing: 'envelope-openpgp', bytes: [...ascii('envelope-yc-kms'), 1] },
  { framing: 'lzo', bytes: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a] },
  { framing: 'yandex-kms', bytes: [...ascii('yckms'), 1] },
  // Version 01 and no reserved bits in the two bytes behind the magic.
  {
    framing: 'lz4',
    bytes: [0x04, 0x22, 0x4d, 0x18],
    fits: (head) => ((head[4] ?? 0x40) & 0xc2) === 0x40 && ((head[5] ?? 0x40) & 0x8f) === 0,
  },
  { framing: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  // lc 3, lp 0, pb 2, a dictionary of 64 KiB at least, and no size or one below 2^48.
  { framing: 'lzma', bytes: [0x5d, 0x00, 0x00], fits: lzmaFits },
  { framing: 'gzip', bytes: [0x1f, 0x8b, 0x08], fits: (head) => ((head[3] ?? 0) & 0xe0) === 0 },
]

/**
 * Tells by its first bytes how an object is framed: `framingHeadBytes` of them, or all when it is shorter. Undefined for what has no
 * mark of its own: libsodium, brotli, uncompressed content. A recognised framing is a good guess and not a proof, above all of `openpgp`
 * and `aws-kms`, which have marks of two bytes at most.
 */
export function recognizeFraming(head: Uint8Array): Framing | undefined {
  const found = MAGICS.find(({ bytes, fits }) => bytes.every((byte, at) => head[at] === byte) && (fits === undefined || fits(head)))
  if (found !== undefined) return found.framing
  if (head.length > AWS_DARE_AT && isDareHeader(head.subarray(AWS_DARE_AT)) && !beginsOpenPgp(head)) return 'aws-kms'
  return beginsOpenPgp(head) ? 'openpgp' : undefined
}

function lzmaFits(head: Uint8Array): boolean {
  const size = head.subarray(5, 13)
  if (size.length < 8) return false
  return size.every((byte) => byte === 0xff) || (size[6] === 0 && size[7] === 0)
}

/**
 * An encrypted session key packet (tag 1): old format with a length of one, two or four bytes, or new format. Of version 3 or 6, as far
 * as the length tells where to look.
 */
function beginsOpenPgp(head: Uint8Array): boolean {
  const first = head[0]
  let at: number
  if (first === 0x84) at = 2
  else if (first === 0x85) at = 3
  else if (first === 0x86) at = 5
  else if (first === 0xc1) at = newFormatBody(head[1] ?? 0)
  else return false
  const version = head[at]
  return version === undefined || version === 3 || version === 6
}

/** Where the body of a packet begins whose length starts with this byte. */
const newFormatBody = (length: number): number => (length < 192 ? 2 : length < 224 ? 3 : length === 255 ? 6 : 2)
