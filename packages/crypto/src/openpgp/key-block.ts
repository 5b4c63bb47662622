import type { Key, SecretKeyPacket, SecretSubkeyPacket } from 'openpgp'
import { notAKeyBlockFault, wrongPassphraseFault, type MissingSecret } from './key-faults.ts'
import type { OpenPgpLibrary } from './library.ts'

/** A private key that can open session keys, with what the library hides of it. */
export interface SecretPacket {
  readonly keyId: string
  readonly packet: SecretKeyPacket | SecretSubkeyPacket
}

/** The keys of a block. */
export interface KeyBlock {
  readonly keys: readonly Key[]
  /** The fingerprints of the primary keys. */
  readonly keyName: string
  /** Unlocked private keys. */
  readonly secrets: readonly SecretPacket[]
  /** Why there are none. */
  readonly missing: MissingSecret | undefined
  /** Overwrites the private keys, as far as they are not numbers of the runtime. */
  dispose(): void
}

/** A block of keys is not longer than this; Debian's key ring of a thousand developers has 50 MiB. */
const MAX_TEXT_LENGTH = 16_777_216
const BLOCK = /-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----[\s\S]*?-----END PGP \1 KEY BLOCK-----/g

/**
 * Reads an armoured key block, in which a backslash and an `n` may stand for a line feed (RF 7.2), and unlocks its private keys.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID`, `CRYPTO_PASSPHRASE_WRONG`.
 */
export async function openKeyBlock(library: OpenPgpLibrary, armoredKeys: string, passphrase: string | undefined): Promise<KeyBlock> {
  const keys = await readKeys(library, armoredBlock(armoredKeys))
  const keyName = keys.map(fingerprintOf).join(',')
  const secrets: SecretPacket[] = []
  let missing: MissingSecret = 'public'
  for (const key of keys) {
    if (!key.isPrivate()) continue
    for (const part of key.getKeys()) {
      const packet = part.keyPacket as SecretKeyPacket | SecretSubkeyPacket
      const state = await unlock(packet, passphrase)
      if (state === 'refused') throw wrongPassphraseFault(fingerprintOf(key))
      if (!canOpenSessionKeys(part.getAlgorithmInfo().algorithm)) continue
      if (state === 'open') secrets.push({ keyId: part.getKeyID().toHex().toUpperCase(), packet })
      else if (state === 'locked' || missing === 'public') missing = state
    }
  }
  return { keys, keyName, secrets, missing: secrets.length > 0 ? undefined : missing, dispose: () => forget(keys) }
}

function armoredBlock(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) throw notAKeyBlockFault('is far too long')
  const lines = text.replaceAll('\\n', '\n').split(/\r?\n/)
  const found = [
    ...lines
      .map((line) => line.trim())
      .join('\n')
      .matchAll(BLOCK),
  ]
  const [block] = found
  if (block === undefined) throw notAKeyBlockFault('does not hold an armoured key block')
  // WAL-G reads only the first: encrypting for the others, or leaving them out, would both be a surprise.
  if (found.length > 1) throw notAKeyBlockFault('holds several key blocks; export all keys into one')
  return block[0]
}

async function readKeys(library: OpenPgpLibrary, armoredKeys: string): Promise<Key[]> {
  try {
    return await library.readKeys({ armoredKeys })
  } catch {
    // The library's own words may quote the text.
    throw notAKeyBlockFault('is not a well-formed key block')
  }
}

type SecretState = 'open' | 'locked' | 'stub' | 'refused'

async function unlock(packet: SecretKeyPacket | SecretSubkeyPacket, passphrase: string | undefined): Promise<SecretState> {
  if (packet.isDummy() || packet.isMissingSecretKeyMaterial()) return 'stub'
  if (packet.isDecrypted()) return 'open'
  if (passphrase === undefined) return 'locked'
  try {
    await packet.decrypt(passphrase)
    return 'open'
  } catch {
    return 'refused'
  }
}

const SESSION_KEY_ALGORITHMS: ReadonlySet<string> = new Set(['rsaEncryptSign', 'rsaEncrypt', 'elgamal', 'ecdh', 'x25519', 'x448'])
const canOpenSessionKeys = (algorithm: string): boolean => SESSION_KEY_ALGORITHMS.has(algorithm)

const fingerprintOf = (key: Key): string => key.getFingerprint().toUpperCase()

/** What the library keeps of a private key; it has a method for this, but one that also forgets that the key was unlocked. */
function forget(keys: readonly Key[]): void {
  for (const key of keys) {
    for (const { keyPacket } of key.getKeys()) {
      const params = (keyPacket as Partial<SecretKeyPacket>).privateParams
      if (params !== null && params !== undefined) for (const value of Object.values(params)) if (value instanceof Uint8Array) value.fill(0)
    }
  }
}
