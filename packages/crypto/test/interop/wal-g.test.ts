import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, zstdDecompressSync } from 'node:zlib'
import { fromNodeStream } from '@waltz/bytes'
import { Fault } from '@waltz/errors'
import { fixturePath } from '@waltz/testkit'
import { describe, expect, it } from 'vitest'
import { awsKms } from '../../src/aws-kms.ts'
import type { Cipher } from '../../src/index.ts'
import { createKeyRing } from '../../src/index.ts'
import { libsodium, libsodiumKey } from '../../src/libsodium.ts'
import { yandexKms } from '../../src/yandex-kms.ts'
import { collect, small } from '../support.ts'

const ciphersFolder = fixturePath('ciphers')
if (ciphersFolder === undefined)
  console.warn('SKIPPED: no repositories of WAL-G in shared/fixtures beside the checkout; the small copies are read all the same')

const HEX = '44eb36c3490c2d9eec23e4a72cc77119ebb9fc4fc1c2715355ef8970b8239e8b'
const BASE64 = 'I37onTVYehR4xmEzy5A3NsfV8/yRWsLf5YYu0tXAWI8='

const ciphers: Readonly<Record<string, (folder: string) => Cipher>> = {
  'libsodium-none': () => libsodium({ key: libsodiumKey({ text: 'libsodium-key-26-chars-abc', from: 'setting' }) }),
  'libsodium-hex': () => libsodium({ key: libsodiumKey({ text: HEX, from: 'setting', transform: 'hex' }), engine: 'libsodium-wrappers' }),
  'libsodium-base64': () => libsodium({ key: libsodiumKey({ text: `${BASE64}\n`, from: 'file', transform: 'base64' }) }),
  awskms: (folder) =>
    awsKms({ service: { keyId: 'recorded', wrap: () => Promise.reject(new Error('only reads')), unwrap: recorded(folder) } }),
  'awskms-remote': (folder) => ciphers['awskms']!(folder),
  'yandex-kms': (folder) =>
    yandexKms({
      service: { keyId: 'recorded', generateDataKey: () => Promise.reject(new Error('only reads')), decrypt: recorded(folder) },
    }),
}

/** A key service that knows the keys which were written down when the repository was made. */
function recorded(folder: string): (wrapped: Uint8Array) => Promise<Uint8Array> {
  const { keys } = JSON.parse(readFileSync(join(folder, 'kms-keys.json'), 'utf8')) as { keys: Record<string, string>[] }
  const known = new Map(keys.map((key) => [key['ciphertext_b64'] ?? key['wrapped_b64'], key['data_key_hex'] ?? '']))
  return async (wrapped) => {
    const key = known.get(Buffer.from(wrapped).toString('base64'))
    if (key === undefined) throw new Fault('corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED', 'not written down')
    return new Uint8Array(Buffer.from(key, 'hex'))
  }
}

const unpack = (name: string, packed: Uint8Array): Uint8Array | undefined => {
  if (name.endsWith('.zst')) return zstdDecompressSync(packed)
  return name.endsWith('.br') ? brotliDecompressSync(packed) : undefined
}
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(ciphersFolder === undefined)('repositories of WAL-G', () => {
  it.each(Object.keys(ciphers))('%s: every encrypted object opens, at the same time, with the bytes that WAL-G gives', async (name) => {
    const folder = join(ciphersFolder ?? '', name)
    const cipher = createKeyRing({
      current: libsodium({ key: new Uint8Array(32) }),
      previous: [ciphers[name]!(folder)],
      plaintext: 'refuse',
    })
    const lines = readFileSync(join(folder, 'wal.tsv'), 'utf8').trim().split('\n').slice(1)
    const hashes = new Map(lines.map((line) => line.split('\t')).map(([, object = '', , hash = '']) => [object, hash]))
    const objects = readdirSync(join(folder, 'repo'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      /wal_005\/|tar_partitions\//.test(path),
    )
    let compared = 0
    await Promise.all(
      objects.map(async (path) => {
        const stored = fromNodeStream(() => createReadStream(join(folder, 'repo', path), { highWaterMark: 10_000 }))
        const packed = await collect(cipher.decrypt(stored))
        const plain = unpack(path, packed)
        if (path.endsWith('.lzma')) expect(Buffer.from(packed.subarray(0, 13)).toString('hex')).toBe('5d00008000ffffffffffffffff')
        const hash = hashes.get(path.split('/').at(-1) ?? '')
        if (hash === undefined || plain === undefined) return
        expect(sha256(plain)).toBe(hash)
        compared += 1
      }),
    )
    expect(objects.length).toBeGreaterThan(5)
    if (name !== 'libsodium-hex') expect(compared).toBe(hashes.size)
  })

  it('keeps its keys apart: no object opens with the key of another repository', async () => {
    for (const [name, make] of Object.entries(ciphers)) {
      const folder = join(ciphersFolder ?? '', name)
      if (!existsSync(folder)) continue
      const walFolder = join(folder, 'repo/wal_005')
      const object = new Uint8Array(readFileSync(join(walFolder, readdirSync(walFolder).at(0) ?? '')))
      for (const [other, makeOther] of Object.entries(ciphers)) {
        const cipher = makeOther(join(ciphersFolder ?? '', other))
        const same = other === name || (name.startsWith('awskms') && other.startsWith('awskms') && make === makeOther)
        expect([name, other, await cipher.fits(object.subarray(0, cipher.headBytes))]).toEqual([name, other, same])
      }
    }
  })
})

describe('copies of objects of WAL-G', () => {
  it.each([
    ['base64-000000010000000000000015.zst', 'libsodium-base64', '67d3db2d2d43e3a55b72e122b23821fa131cddcf05d13fbeb1af9d1efa5078a1'],
    ['none-000000010000000000000014.br', 'libsodium-none', '64b1fd18d1e9b5f18ab574a8e3466a2f60ea752debb863dbbef84d2744c5fadb'],
  ])('%s', async (file, name, hash) => {
    const packed = await collect(
      ciphers[name]!('').decrypt(fromNodeStream(() => createReadStream(new URL(`../fixtures/small/libsodium/${file}`, import.meta.url)))),
    )
    expect(sha256(unpack(file, packed) ?? packed)).toBe(hash)
  })
  it('with a key in hex', async () => {
    const cipher = ciphers['libsodium-hex']!('')
    async function* stored() {
      yield small('libsodium/hex-backup.lzma')
    }
    expect(
      Buffer.from(await collect(cipher.decrypt(stored())))
        .subarray(0, 5)
        .toString('hex'),
    ).toBe('5d00008000')
  })
})
