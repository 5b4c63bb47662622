import { createKeyRing } from '@waltz/crypto'
import { libsodium } from '@waltz/crypto/libsodium'
import type { ObjectStore } from '@waltz/storage'
import { describe, expect, it } from 'vitest'
import { faultOf, fetched, keysOf, openTestArchive, push, putRaw, storedBytes } from './support/archive.ts'
import { makeWal, nameOf } from './support/segments.ts'

const [one, two, three] = makeWal({ first: 1, count: 3 }) as [Uint8Array, Uint8Array, Uint8Array]
const [ONE, TWO, THREE] = [nameOf(1), nameOf(2), nameOf(3)]
const HISTORY = '1\t0/3000000\tno recovery target specified\n'
const cipher = libsodium({ key: new Uint8Array(32).fill(7) })
const ring = createKeyRing({ current: cipher, previous: [], plaintext: 'refuse' })
const identityOf = async (store: ObjectStore): Promise<unknown> =>
  JSON.parse(Buffer.from(await storedBytes(store, 'waltz/cluster.json')).toString())

describe('an archive with a cipher', () => {
  it('stores nothing that can be read without the key, and gives the same bytes back', async () => {
    const { archive, store } = await openTestArchive({ cipher: ring })
    await push(archive, ONE, one)
    await push(archive, '00000002.history', HISTORY)
    expect(Buffer.from(await storedBytes(store, `wal_005/${ONE}.lz4`)).readUInt32LE(0)).not.toBe(0x184d2204)
    expect(Buffer.from(await storedBytes(store, 'wal_005/00000002.history.lz4')).includes('recovery')).toBe(false)
    expect(Buffer.from(await fetched(archive, ONE)).equals(one)).toBe(true)
    expect(await push(archive, ONE, one)).toBe('already-stored')
    expect(await identityOf(store)).toMatchObject({ encrypted: true })
  })

  it('notes once that it holds encrypted objects now, when it held plain ones before', async () => {
    const plain = await openTestArchive()
    await push(plain.archive, ONE, one)
    expect(await identityOf(plain.store)).not.toHaveProperty('encrypted')
    const sealed = await openTestArchive({ store: plain.store, cipher: ring })
    await push(sealed.archive, TWO, two)
    await push(sealed.archive, THREE, three)
    expect(sealed.events.filter(({ type }) => type === 'encryption-noted')).toHaveLength(1)
    expect(await identityOf(plain.store)).toMatchObject({ encrypted: true, systemIdentifier: expect.any(String) })
    expect(await faultOf(sealed.archive.fetch(ONE).then((opened) => fetchedFrom(opened.source)))).toMatchObject({
      code: 'CRYPTO_PLAINTEXT_REFUSED',
    })
  })

  it('takes over a plain archive without an identity', async () => {
    const plain = await openTestArchive()
    await push(plain.archive, ONE, one)
    await plain.store.delete(['waltz/cluster.json'])
    const { archive, store } = await openTestArchive({ store: plain.store, cipher: ring })
    await push(archive, TWO, two)
    expect(await identityOf(store)).toMatchObject({ encrypted: true })
  })
})

describe('an archive without a cipher', () => {
  const kinds = [
    ['of Waltz, by what it declares', []],
    ['of WAL-G, by how its segments begin', ['waltz/cluster.json']],
  ] as const

  it.each(kinds)('stores nothing beside encrypted objects %s', async (_, removed) => {
    const sealed = await openTestArchive({ cipher: ring })
    await push(sealed.archive, ONE, one)
    await sealed.store.delete(removed)
    const before = await keysOf(sealed.store)
    const { archive, store } = await openTestArchive({ store: sealed.store })
    for (const [name, bytes] of [
      [TWO, two],
      ['00000002.history', HISTORY],
      [`${ONE}.00000028.backup`, 'START WAL LOCATION'],
    ] as const) {
      expect(await faultOf(push(archive, name, bytes)), name).toMatchObject({ kind: 'denied', code: 'WAL_ARCHIVE_ENCRYPTED' })
    }
    expect(await keysOf(store)).toEqual(before)
  })

  it.each(kinds)('does when it is allowed to, and says so: %s', async (_, removed) => {
    const sealed = await openTestArchive({ cipher: ring })
    await push(sealed.archive, ONE, one)
    await sealed.store.delete(removed)
    const { archive, store, events } = await openTestArchive({ store: sealed.store, plaintextAmongEncrypted: 'allow' })
    expect(await push(archive, TWO, two)).toBe('stored')
    expect(events).toContainEqual({ type: 'plaintext-among-encrypted' })
    expect(Buffer.from(await fetched(archive, TWO)).equals(two)).toBe(true)
    expect(await keysOf(store)).toContain(`wal_005/${TWO}.lz4`)
  })

  it('takes an object with a lying extension for an encrypted one, because libsodium leaves no mark', async () => {
    const { archive, store } = await openTestArchive()
    await putRaw(store, `wal_005/${ONE}.lzma`, 'neither lzma nor anything known')
    expect(await faultOf(push(archive, TWO, two))).toMatchObject({ code: 'WAL_ARCHIVE_ENCRYPTED' })
  })

  it('says of an encrypted object that a key is missing, where its framing tells', async () => {
    const { archive, store } = await openTestArchive()
    await putRaw(store, `wal_005/${ONE}.lz4`, `yckms\u0001${'x'.repeat(300)}`)
    expect(await faultOf(archive.fetch(ONE).then((opened) => fetchedFrom(opened.source)))).toMatchObject({ code: 'OBJECT_ENCRYPTED' })
  })
})

async function fetchedFrom(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of source);
}
