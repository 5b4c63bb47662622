import { createKeyRing, type Cipher, type CipherScheme } from '@waltz/crypto'
import type { Settings } from '@waltz/settings'
import { readSettingBytes, readSettingFile } from '../setting-file.ts'
import type { KitSurroundings } from '../surroundings.ts'
import { chosenScheme } from './chosen-key.ts'
import { readPreviousKeys } from './previous-keys.ts'
import { openAwsKey, openYandexKey } from './service-keys.ts'

/**
 * The cipher that the settings ask for: new objects under the key that they name, old ones under that or a previous one. Undefined when
 * they name none. Reads key files and, for a key of GnuPG, asks `gpg`; asks no key service.
 * @throws Fault `invalid` for keys that cannot work, whatever is wrong with them: nothing is ever stored as it is instead.
 */
export async function openCipher(settings: Settings, surroundings: KitSurroundings): Promise<Cipher | undefined> {
  const scheme = chosenScheme(settings)
  const previous = readPreviousKeys(settings)
  if (scheme === undefined && previous.length === 0) return undefined
  const opened: Cipher[] = []
  try {
    for (const key of [...(scheme === undefined ? [] : [{ scheme, settings }]), ...previous])
      opened.push(await OPENERS[key.scheme](key.settings, surroundings))
  } catch (error) {
    for (const cipher of opened) cipher[Symbol.dispose]()
    throw error
  }
  const current = scheme === undefined ? undefined : opened.shift()
  return createKeyRing({
    ...(current !== undefined && { current }),
    previous: opened,
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
