import type { Cipher } from '@waltz/crypto'
import { exportGpgKey, openpgp } from '@waltz/crypto/openpgp'
import { runGpg } from './run-gpg.ts'

/** What unlocks the private key. */
export interface GpgUnlocking {
  readonly now: () => Date
  readonly passphrase?: string
}

/**
 * A cipher with a key of GnuPG's key ring. The public key is asked for here, so that an unknown one is found out before anything is stored;
 * the private key only when something is to be read, because `gpg` may want its passphrase.
 * @throws Fault as `exportGpgKey` and `openpgp`.
 */
export async function openGpgCipher(keyId: string, unlocking: GpgUnlocking): Promise<Cipher> {
  const { now, passphrase } = unlocking
  const writer = await openpgp({ armoredKeys: await exportGpgKey({ keyId, secret: false, run: runGpg }), now })
  let reader: Promise<Cipher> | undefined
  const openReader = async (): Promise<Cipher> => {
    const unlock = passphrase === undefined ? {} : { passphrase }
    return await openpgp({ armoredKeys: await exportGpgKey({ keyId, secret: true, run: runGpg, ...unlock }), now, ...unlock })
  }
  const forReading = (): Promise<Cipher> =>
    (reader ??= openReader().catch((error: unknown) => {
      reader = undefined
      throw error
    }))
  return {
    scheme: 'openpgp',
    keyName: writer.keyName,
    canDecrypt: true,
    authenticates: writer.authenticates,
    headBytes: writer.headBytes,
    encrypt: (source) => writer.encrypt(source),
    decrypt: async function* (source) {
      yield* (await forReading()).decrypt(source)
    },
    fits: async (head) => await (await forReading()).fits(head),
    [Symbol.dispose]() {
      writer[Symbol.dispose]()
      void reader?.then(
        (cipher) => cipher[Symbol.dispose](),
        () => undefined, // there is none
      )
    },
  }
}
