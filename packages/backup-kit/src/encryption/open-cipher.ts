import { createKeyRing, type Cipher, type CipherScheme } from '@waltz/crypto'
import type { NamedKey } from '@waltz/repository/rotation'
import type { Settings } from '@waltz/settings'
import { readSettingBytes, readSettingFile } from '../setting-file.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { chosenScheme } from './chosen-key.ts'
import { readPreviousKeys } from './previous-keys.ts'
import { openAwsKey, openYandexKey } from './service-keys.ts'

/** The keys of the settings, each by itself. */
export interface OpenedKeys extends Disposable {
  /** Encrypts new objects. */
  readonly current: NamedKey | undefined
  /** Open old ones, in the order of WALTZ_CRYPTO_PREVIOUS_KEYS. */
  readonly previous: readonly NamedKey[]
}

/**
 * The keys that the settings name, `current` and `previous 1` and so on. Reads key files and, for a key of GnuPG, asks `gpg`; asks a key
 * service only for a key that it has encrypted.
 * @throws Fault `invalid` for keys that cannot work, whatever is wrong with them: nothing is ever stored as it is instead.
 */
export async function openKeys(settings: Settings, surroundings: KitSurroundings): Promise<OpenedKeys> {
  const scheme = chosenScheme(settings)
  const wanted = readPreviousKeys(settings)
  const opened: NamedKey[] = []
  const dispose = (): void => {
    for (const { cipher } of opened) cipher[Symbol.dispose]()
  }
  try {
    if (scheme !== undefined) opened.push({ label: 'current', cipher: await OPENERS[scheme](settings, surroundings) })
    for (const [index, key] of wanted.entries())
      opened.push({ label: `previous ${index + 1}`, cipher: await OPENERS[key.scheme](key.settings, surroundings) })
  } catch (error) {
    dispose()
    throw error
  }
  const current = scheme === undefined ? undefined : opened[0]
  return { current, previous: opened.filter((key) => key !== current), [Symbol.dispose]: dispose }
}

/**
 * The cipher that the settings ask for: new objects under the key that they name, old ones under that or a previous one. Undefined when
 * they name none.
 * @throws Fault as `openKeys`.
 */
export async function openCipher(settings: Settings, surroundings: KitSurroundings): Promise<Cipher | undefined> {
  const { current, previous } = await openKeys(settings, surroundings)
  if (current === undefined && previous.length === 0) return undefined
  return createKeyRing({
    ...(current !== undefined && { current: current.cipher }),
    previous: previous.map(({ cipher }) => cipher),
    plaintext: settings.cryptoPlaintextReads,
    onPlaintext: (framing) => surroundings.observe?.({ type: 'plaintext-read', framing }),
  })
}

type Opener = (settings: Settings, surroundings: KitSurroundings) => Promise<Cipher>

const OPENERS: Readonly<Record<CipherScheme, Opener>> = {
  libsodium: openLibsodium,
  openpgp: openOpenPgp,
  'envelope-openpgp': async (settings, surroundings) => await (await import('./envelope-key.ts')).openEnvelopeKey(settings, surroundings),
  'aws-kms': openAwsKey,
  'yandex-kms': openYandexKey,
}

async function openLibsodium(settings: Settings): Promise<Cipher> {
  const { libsodium, libsodiumKey } = await import('@waltz/crypto/libsodium')
  const { libsodiumKey: text, libsodiumKeyPath: path, libsodiumKeyTransform: transform } = settings
  const given =
    text === undefined
      ? ({ text: readSettingBytes('WALG_LIBSODIUM_KEY_PATH', path ?? ''), from: 'file' } as const)
      : ({ text, from: 'setting' } as const)
  const key = libsodiumKey({ ...given, ...(transform !== undefined && { transform }) })
  try {
    return libsodium({ key })
  } finally {
    key.fill(0)
  }
}

async function openOpenPgp(settings: Settings, { now }: KitSurroundings): Promise<Cipher> {
  const { pgpKey, pgpKeyPath, gpgKeyId, pgpKeyPassphrase: passphrase } = settings
  const unlocking = passphrase === undefined ? { now } : { now, passphrase }
  if (gpgKeyId !== undefined) {
    const { openGpgCipher } = await import('./gpg-cipher.ts')
    return await openGpgCipher(gpgKeyId, unlocking)
  }
  const { openpgp } = await import('@waltz/crypto/openpgp')
  return await openpgp({ armoredKeys: pgpKey ?? readSettingFile('WALG_PGP_KEY_PATH', pgpKeyPath ?? ''), ...unlocking })
}
