/** Everything in a tar is a multiple of this many bytes. */
export const BLOCK_BYTES = 512

/** Two blocks of zeros end an archive (POSIX pax, "ustar Interchange Format"). */
export const TAR_TRAILER: Uint8Array = new Uint8Array(2 * BLOCK_BYTES)

/** How many zero bytes follow a content of `size` bytes: 0 to 511. */
export function tarPaddingBytes(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Where the fields of a header lie, each as offset and length. */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  userName: [265, 32],
  groupName: [297, 32],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const

/** One field of a header. */
export type Field = (typeof FIELD)[keyof typeof FIELD]

/** Type flags that stand for the types of an entry. */
export const TYPE_FLAG = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const
