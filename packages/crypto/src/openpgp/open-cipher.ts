import { unpredictableBytes } from '../random.ts'
import type { ByteSource } from '@waltz/bytes'
import type { Cipher } from '../cipher.ts'
import { disposedFault } from '../crypto-faults.ts'
import { CIPHER_BLOCK_BYTES } from './cfb.ts'
import { openKeyBlock } from './key-block.ts'
import { missingSecretFault } from './key-faults.ts'
import { encryptByLibrary } from './library-stream.ts'
import { loadOpenPgpLibrary } from './library.ts'
import { writeProtected } from './protected-writer.ts'
import { readMessage, type OpenPgpEngine } from './read-message.ts'
import { checkRecipients, makeSessionKey, readHeadOf, trySessionKeys, type OpenKeys } from './session-key.ts'

/** Keys and who works with them. */
export interface CipherKeys {
  readonly armoredKeys: string
  readonly passphrase: string | undefined
  readonly now: () => Date
  readonly engine: OpenPgpEngine
}

/** A cipher with what the schemes that are built on it need besides. */
export interface OpenedCipher {
  readonly cipher: Cipher
  /** The ids of the primary keys, in hexadecimal. */
  readonly keyIds: readonly string[]
  /** Throws when the cipher cannot encrypt now. */
  checkRecipients(): Promise<void>
  /** Throws when the cipher cannot decrypt. */
  checkSecrets(): void
  /** As the cipher does it, for a message that begins at a place of its object. */
  decryptAt(source: ByteSource, offset: number): ByteSource
}

/** As many session keys as fit into this are tried: two dozen of RSA with 4096 bits. */
const HEAD_BYTES = 16_384

/** See `openpgp`. */
export async function openCipher({ armoredKeys, passphrase, now, engine }: CipherKeys): Promise<OpenedCipher> {
  const library = await loadOpenPgpLibrary()
  const block = await openKeyBlock(library, armoredKeys, passphrase)
  const keys: OpenKeys = { library, block, now }
  let disposed = false
  const open = (): OpenKeys => {
    if (disposed) throw disposedFault('openpgp')
    return keys
  }
  const openForReading = (): OpenKeys => {
    if (block.missing !== undefined) throw missingSecretFault(block.missing, block.keyName)
    return open()
  }
  const decryptAt = (source: ByteSource, offset: number): ByteSource => decrypt(source, { open: openForReading, engine, offset })
  const cipher: Cipher = {
    scheme: 'openpgp',
    keyName: block.keyName,
    canDecrypt: block.missing === undefined,
    authenticates: 'at-the-end',
    headBytes: HEAD_BYTES,
    encrypt: (source) => encrypt(source, open, engine),
    decrypt: (source) => decryptAt(source, 0),
    fits: async (head) => fits(open(), head),
    [Symbol.dispose]() {
      disposed = true
      block.dispose()
    },
  }
  return {
    cipher,
    keyIds: block.keys.map((key) => key.getKeyID().toHex().toUpperCase()),
    checkRecipients: () => checkRecipients(open()),
    checkSecrets: () => void openForReading(),
    decryptAt,
  }
}

async function* encrypt(source: ByteSource, open: () => OpenKeys, engine: OpenPgpEngine): AsyncGenerator<Uint8Array, void, undefined> {
  const { packets, ...bulk } = await makeSessionKey(open())
  try {
    if (engine === 'openpgpjs') yield* encryptByLibrary(open(), source, bulk)
    else yield* writeProtected(source, bulk, { sessions: packets, random: unpredictableBytes(CIPHER_BLOCK_BYTES) })
  } finally {
    bulk.key.fill(0)
  }
}

interface DecryptInput {
  readonly open: () => OpenKeys
  readonly engine: OpenPgpEngine
  readonly offset: number
}

async function* decrypt(source: ByteSource, { open, engine, offset }: DecryptInput): AsyncGenerator<Uint8Array, void, undefined> {
  yield* readMessage(open(), source, { engine, offset })
}

async function fits(open: OpenKeys, head: Uint8Array): Promise<boolean> {
  if (open.block.missing !== undefined) return false
  const { key } = await trySessionKeys(open, await readHeadOf(head))
  key?.key.fill(0)
  return key !== undefined
}
