import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { cipherOf, recorded, storedObject } from '../openpgp-support.ts'
import { collect, inChunks } from '../support.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const objects = [...recorded.small, ...recorded.objects.filter(({ key }) => key.endsWith('.asc'))]

/** Objects written by WAL-G 3.0.9, with what it gives back for them. */
describe.each(['own', 'openpgpjs'] as const)('objects of WAL-G, read by the engine %s', (engine) => {
  it.each(objects.map((object) => [object.path, object] as const))('%s', async (path, { key, size, sha256: expected, passphrase }) => {
    using cipher = await cipherOf(key, { engine, ...(passphrase === undefined ? {} : { passphrase }) })
    const stored = storedObject(path)
    expect(await cipher.fits(stored.subarray(0, cipher.headBytes))).toBe(true)
    const content = await collect(cipher.decrypt(inChunks(stored, [1000, 1, 17])))
    const plain = path.endsWith('.zst') ? new Uint8Array(zstdDecompressSync(content)) : content
    expect([plain.length, sha256(plain)]).toEqual([size, expected])
  })
})
