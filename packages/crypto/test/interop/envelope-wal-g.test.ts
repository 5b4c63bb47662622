import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { envelopeOpenPgp } from '../../src/envelope-openpgp.ts'
import { keyText, recorded, storedObject } from '../openpgp-support.ts'
import { collect, inChunks } from '../support.ts'

/** Objects written by the framing of WAL-G 3.0.9, whose call to the service had been replaced. */
it.each(recorded.objects.filter(({ key }) => key.endsWith('.b64')).map((object) => [object.path, object] as const))(
  'reads %s',
  async (path, { key, size, sha256 }) => {
    const wrapped = Buffer.from(keyText(key).replaceAll(/\s/g, ''), 'base64')
    const decrypt = async (ciphertext: Uint8Array): Promise<Uint8Array> => {
      expect(Buffer.compare(ciphertext, wrapped)).toBe(0)
      return new TextEncoder().encode(keyText('rsa.sec.asc'))
    }
    using cipher = await envelopeOpenPgp({ wrappedKey: keyText(key), keyService: { decrypt }, now: () => new Date() })
    const stored = storedObject(path)
    expect(await cipher.fits(stored.subarray(0, cipher.headBytes))).toBe(true)
    const plain = zstdDecompressSync(await collect(cipher.decrypt(inChunks(stored, [1000, 1, 17]))))
    expect([plain.length, createHash('sha256').update(plain).digest('hex')]).toEqual([size, sha256])
    // What is written has the same header, byte for byte.
    const header = 15 + 1 + 4 + 16 + 4 + wrapped.length
    const again = await collect(cipher.encrypt(inChunks(plain, [4000])))
    expect(Buffer.compare(again.subarray(0, header), stored.subarray(0, header))).toBe(0)
  },
)
