/**
 * Names of blocks. All blocks of one blob need names of one length, those that a broken upload of another program left included: WAL-G's
 * have 64 bytes, so these have as many. They hold
 *
 *     0  16  the upload, so that two writers of one name never mix their blocks
 *     16  4  number of the block, big-endian
 *     20  6  begin of the upload, milliseconds since 1970, big-endian
 *     26 16  MD5 of the block, by which a download checks it: Azure keeps no checksum of a blob that was made from blocks
 *     42  6  "waltz1"
 */
const ID_BYTES = 64
const INDEX_AT = 16
const STARTED_AT = 20
const MD5_AT = 26
const MARK_AT = 42
const MARK = 'waltz1'

/** Metadata of a blob whose blocks are named like this. */
export const BLOCK_SUMS = 'waltzblocks'

/** What the name of one block says. */
export interface BlockName {
  /** 32 hexadecimal digits. */
  readonly upload: string
  readonly index: number
  readonly startedMs: number
  /** 16 bytes. */
  readonly md5: Uint8Array
}

/** The name of a block, in base64 as the API wants it. */
export function encodeBlockId({ upload, index, startedMs, md5 }: BlockName): string {
  const bytes = Buffer.alloc(ID_BYTES)
  bytes.write(upload, 'hex')
  bytes.writeUInt32BE(index, INDEX_AT)
  bytes.writeUIntBE(startedMs, STARTED_AT, 6)
  bytes.set(md5, MD5_AT)
  bytes.write(MARK, MARK_AT, 'latin1')
  return bytes.toString('base64')
}

/** What a block's name says; undefined for a block of another program. */
export function decodeBlockId(id: string): BlockName | undefined {
  const bytes = Buffer.from(id, 'base64')
  if (bytes.length !== ID_BYTES || bytes.toString('latin1', MARK_AT, MARK_AT + MARK.length) !== MARK) return undefined
  return {
    upload: bytes.toString('hex', 0, INDEX_AT),
    index: bytes.readUInt32BE(INDEX_AT),
    startedMs: bytes.readUIntBE(STARTED_AT, 6),
    md5: bytes.subarray(MD5_AT, MARK_AT),
  }
}
