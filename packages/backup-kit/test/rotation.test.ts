import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { concatBytes, readAll, sourceOf } from '@waltz/bytes'
import { lz4 } from '@waltz/codecs/lz4'
import type { Cipher } from '@waltz/crypto'
import { libsodium } from '@waltz/crypto/libsodium'
import { openpgp } from '@waltz/crypto/openpgp'
import { isFault } from '@waltz/errors'
import {
  clusterIdentityKey,
  decodeManifest,
  encodeManifest,
  manifestKey,
  partKey,
  sentinelKey,
  walKey,
  type BackupManifest,
} from '@waltz/repository'
import { rotateObjects, surveyKeys, type NamedKey, type RotateOptions, type RotationResult } from '@waltz/repository/rotation'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { faultStore, type FaultPlan } from '@waltz/testkit'
import { beforeAll, describe, expect, it } from 'vitest'

const BACKUP = 'base_000000010000000000000013'
const PARTS = ['part_001.tar.lz4', 'part_002.tar.lz4', 'pg_control.tar.lz4']
const SEALED = [...PARTS.map((name) => partKey(BACKUP, name)), walKey('000000010000000000000013.lz4'), walKey('00000002.history.lz4')]
const SIDECAR = walKey('000000010000000000000013.json')

const now = (): Date => new Date('2026-11-21T00:00:00Z')
const old = libsodium({ key: new Uint8Array(32).fill(7) })
const other = libsodium({ key: new Uint8Array(32).fill(8) })
const keyFile = new URL('../../crypto/test/fixtures/openpgp/keys/ecc.sec.asc', import.meta.url)
const contents = new Map<string, Uint8Array>()
/** The repository as the old key left it. */
const objects = new Map<string, Uint8Array>()
let fresh: Cipher
let publicOnly: Cipher

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const named = (label: string, cipher: Cipher): NamedKey => ({ label, cipher })
const collect = (source: AsyncIterable<Uint8Array>): Promise<Uint8Array> => readAll(source, 1e7)

beforeAll(async () => {
  fresh = await openpgp({ armoredKeys: readFileSync(keyFile, 'utf8'), now })
  publicOnly = await openpgp({ armoredKeys: readFileSync(new URL('ecc.pub.asc', keyFile), 'utf8'), now })
  for (const [index, key] of SEALED.entries()) {
    const noise = Array.from({ length: index === 0 ? 900 : 4 }, (_, at) => sha256(Buffer.from(`${key} ${at}`)))
    contents.set(key, await collect(lz4().compress(sourceOf(noise.join('')))))
    objects.set(key, await collect(old.encrypt(sourceOf(contents.get(key) ?? ''))))
  }
  objects.set(SIDECAR, Buffer.from('{"not":"encrypted"}'))
  objects.set(sentinelKey(BACKUP), Buffer.from('{}'))
  objects.set(manifestKey(BACKUP), encodeManifest(manifestFor(objects)))
  const identity = { version: 1, systemIdentifier: '7', createdAt: '2026-01-01T00:00:00Z', tool: { name: 'waltz', version: '1' } }
  objects.set(clusterIdentityKey, Buffer.from(JSON.stringify(identity)))
})

function manifestFor(stored: ReadonlyMap<string, Uint8Array>): BackupManifest {
  const parts = PARTS.map((name) => {
    const bytes = stored.get(partKey(BACKUP, name)) ?? new Uint8Array(0)
    return { name, size: bytes.length, sha256: sha256(bytes), payloadBytes: 512 }
  })
  const rest = { filesMetadata: undefined, links: [], skipped: [], warnings: ['kept'], walPending: [] }
  return { backup: BACKUP, parts, ...rest, tool: { name: 'waltz', version: '1' } }
}

async function repository(change: (all: Map<string, Uint8Array>) => void = () => undefined): Promise<ObjectStore> {
  const all = new Map(objects)
  change(all)
  const store = createMemoryStore({ now })
  for (const [key, bytes] of all) await store.put(key, sourceOf(bytes))
  return store
}

async function stored(store: ObjectStore): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>()
  for await (const { key } of store.list('')) all.set(key, await collect(await store.get(key)))
  return all
}

function rotate(store: ObjectStore, more: Partial<RotateOptions> = {}): Promise<RotationResult> {
  return rotateObjects({
    store,
    current: named('current', fresh),
    previous: [named('previous 1', old)],
    plaintext: 'leave',
    objectsAtOnce: 2,
    ...more,
  })
}

/** The keys that open an object, each with what it should open to. */
async function openers(key: string, bytes: Uint8Array, ciphers: readonly Cipher[]): Promise<readonly Cipher[]> {
  const fitting: Cipher[] = []
  for (const cipher of ciphers) {
    if (!(await cipher.fits(bytes.subarray(0, cipher.headBytes)))) continue
    expect(sha256(await collect(cipher.decrypt(sourceOf(bytes)))), key).toBe(sha256(contents.get(key) ?? new Uint8Array(0)))
    fitting.push(cipher)
  }
  return fitting
}

/** Whatever happened: every object is whole under one of the keys, and the manifest accepts it. */
async function expectSound(store: ObjectStore, place: string): Promise<void> {
  const all = await stored(store)
  for (const key of SEALED) expect(await openers(key, all.get(key) ?? new Uint8Array(0), [fresh, old]), `${place} ${key}`).toHaveLength(1)
  const manifest = decodeManifest(all.get(manifestKey(BACKUP)) ?? '', { origin: 'manifest' })
  for (const part of manifest.parts) {
    const bytes = all.get(partKey(BACKUP, part.name)) ?? new Uint8Array(0)
    const forms = [part, ...(part.alternatives ?? [])].map(({ size, sha256: hash }) => `${size} ${hash}`)
    expect(forms, `${place} ${part.name}`).toContain(`${bytes.length} ${sha256(bytes)}`)
  }
}

async function expectDone(store: ObjectStore, place = ''): Promise<void> {
  await expectSound(store, place)
  const all = await stored(store)
  for (const key of SEALED) expect(await openers(key, all.get(key) ?? new Uint8Array(0), [fresh]), `${place} ${key}`).toHaveLength(1)
  expect([...all.keys()].sort(), place).toEqual([...objects.keys()].sort())
  expect(decodeManifest(all.get(manifestKey(BACKUP)) ?? '', { origin: '' }), place).toEqual(manifestFor(all))
}

describe('changing the key of a repository', () => {
  it('brings all sealed objects under the new key, and leaves everything else', async () => {
    const store = await repository()
    const events: string[] = []
    const result = await rotate(store, { observe: ({ key, outcome }) => void events.push(`${outcome} ${key}`) })
    expect(result.amounts.rotated.objects).toBe(SEALED.length)
    expect(result).toMatchObject({ failures: [], noted: true, amounts: { failed: { objects: 0 }, already: { objects: 0 } } })
    expect(events.sort()).toEqual(SEALED.map((key) => `rotated ${key}`).sort())
    await expectDone(store)
    const all = await stored(store)
    expect(all.get(SIDECAR)).toEqual(new Uint8Array(objects.get(SIDECAR) ?? []))
    expect(JSON.parse(Buffer.from(all.get(clusterIdentityKey) ?? []).toString())).toMatchObject({ systemIdentifier: '7', encrypted: true })
    const again = await rotate(store)
    expect(again.amounts).toMatchObject({ already: { objects: SEALED.length }, rotated: { objects: 0 } })
    expect(await stored(store)).toEqual(all)
  })

  it('works without conditions in the storage, too', async () => {
    const memory = await repository()
    const store: ObjectStore = { ...memory, capabilities: { ...memory.capabilities, ifMatch: false } }
    expect((await rotate(store)).failures).toEqual([])
    await expectDone(memory)
  })

  it.each(['before', 'after'] as const)('is interrupted %s any write, and goes on in another run', async (crashMoment) => {
    let crashes = 0
    for (let at = 1, more = true; more; at += 1) {
      const memory = await repository()
      const plan: FaultPlan = { crashAtMutation: at, crashMoment }
      const store = faultStore(memory, plan)
      await rotate(store).catch((error: unknown) => expect(isFault(error)).toBe(true))
      more = store.crashed()
      crashes += Number(more)
      const place = `${crashMoment} ${at} ${store.mutations[at - 1]?.key ?? 'nothing'}`
      await expectSound(memory, place)
      expect((await rotate(memory)).failures, place).toEqual([])
      await expectDone(memory, place)
    }
    // For each object its new form, its replacement, and the removal of the former.
    expect(crashes).toBeGreaterThan(3 * SEALED.length)
  })

  it('goes back to the old key in the middle', async () => {
    for (const at of [3, 5, 8, 11]) {
      const memory = await repository()
      await rotate(faultStore(memory, { crashAtMutation: at, crashMoment: 'after' })).catch(() => undefined)
      const back = await rotate(memory, { current: named('current', old), previous: [named('previous 1', fresh)] })
      expect(back.failures).toEqual([])
      await expectSound(memory, String(at))
      const all = await stored(memory)
      for (const key of SEALED) expect(await openers(key, all.get(key) ?? new Uint8Array(0), [old])).toHaveLength(1)
      expect(decodeManifest(all.get(manifestKey(BACKUP)) ?? '', { origin: '' })).toEqual(manifestFor(all))
    }
  })
})

describe('what cannot be changed', () => {
  it('is reported and stays, when the previous key is another one', async () => {
    const store = await repository()
    const before = await stored(store)
    const result = await rotate(store, { previous: [named('previous 1', other)] })
    expect(result.failures.map(({ key, fault }) => `${fault.code} ${key}`).sort()).toEqual(
      SEALED.map((key) => `ROTATION_KEY_MISSING ${key}`).sort(),
    )
    expect(await stored(store)).toEqual(before)
  })

  it.each([
    ['a flipped bit at its end', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1), /^CRYPTO_/],
    ['a flipped bit in its beginning', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40), /^(CRYPTO_|ROTATION_KEY_MISSING)/],
  ])('is an object with %s; the others are changed', async (_, damage, code) => {
    const key = SEALED[0] ?? ''
    const damaged = Buffer.from(objects.get(key) ?? '')
    damage(damaged)
    const store = await repository((all) => all.set(key, damaged))
    const result = await rotate(store)
    expect(result.failures).toEqual([{ key, fault: expect.objectContaining({ code: expect.stringMatching(code) }) }])
    expect(result.amounts.rotated.objects).toBe(SEALED.length - 1)
    const all = await stored(store)
    expect(Buffer.from(all.get(key) ?? []).equals(damaged)).toBe(true)
    expect([...all.keys()].filter((one) => one.startsWith('waltz/rotate'))).toEqual([])
  })

  it('is a part that is whole and not the one of the manifest', async () => {
    const [key = '', another = ''] = SEALED
    const store = await repository((all) => all.set(key, objects.get(another) ?? new Uint8Array(0)))
    const result = await rotate(store)
    expect(result.failures).toEqual([{ key, fault: expect.objectContaining({ code: 'ROTATION_OBJECT_CHANGED' }) }])
    expect((await stored(store)).get(key)).toEqual(new Uint8Array(objects.get(another) ?? []))
  })

  it('is an object whose new form comes back damaged, or that somebody replaced meanwhile', async () => {
    const key = SEALED[3] ?? ''
    const rules = { operation: 'get', key: /^waltz\/rotate\/wal_005\/0{7}1/ } as const
    for (const nth of [1, 2]) {
      const memory = await repository()
      const result = await rotate(faultStore(memory, { rules: [{ ...rules, nth, action: { kind: 'corrupt', atByte: 150 } }] }))
      expect(result.failures.map((failure) => failure.key)).toEqual([key])
      expect((await stored(memory)).get(key)).toEqual(new Uint8Array(objects.get(key) ?? []))
      expect([...(await stored(memory)).keys()].sort()).toEqual([...objects.keys()].sort())
    }
    const memory = await repository()
    const replaced = await collect(old.encrypt(sourceOf(contents.get(key) ?? '')))
    const store: ObjectStore = {
      ...memory,
      async put(target, body, options) {
        if (target === key) await memory.put(key, sourceOf(replaced))
        return await memory.put(target, body, options)
      },
    }
    expect((await rotate(store)).failures.map((failure) => failure.key)).toEqual([key])
    expect((await stored(memory)).get(key)).toEqual(new Uint8Array(replaced))
  })

  it('is an object that somebody replaced while its new form was made, in a storage without conditions', async () => {
    const key = SEALED[3] ?? ''
    const replaced = await collect(old.encrypt(sourceOf('another segment')))
    const memory = await repository()
    const store: ObjectStore = {
      ...memory,
      capabilities: { ...memory.capabilities, ifMatch: false },
      async put(target, body, options) {
        const info = await memory.put(target, body, options)
        if (target === `waltz/rotate/${key}`) await memory.put(key, sourceOf(replaced))
        return info
      },
    }
    expect((await rotate(store)).failures).toEqual([{ key, fault: expect.objectContaining({ code: 'ROTATION_OBJECT_CHANGED' }) }])
    expect((await stored(memory)).get(key)).toEqual(new Uint8Array(replaced))
  })

  it('is a part of a backup that was never announced', async () => {
    const store = await repository((all) => all.delete(sentinelKey(BACKUP)))
    const result = await rotate(store)
    expect(result.amounts).toMatchObject({ unfinished: { objects: 3 }, rotated: { objects: 2 } })
    const all = await stored(store)
    for (const name of PARTS) expect(all.get(partKey(BACKUP, name))).toEqual(new Uint8Array(objects.get(partKey(BACKUP, name)) ?? []))
  })

  it('keeps what may be the only good copy of an object', async () => {
    const key = SEALED[3] ?? ''
    const good = await collect(fresh.encrypt(sourceOf(contents.get(key) ?? '')))
    for (const left of [undefined, good.subarray(0, good.length - 9)]) {
      const store = await repository((all) => {
        all.set(`waltz/rotate/${key}`, good)
        if (left === undefined) all.delete(key)
        else all.set(key, left)
      })
      const result = await rotate(store)
      expect(result.failures.map(({ fault }) => fault.code)).toEqual(['ROTATION_SIDE_KEPT'])
      expect((await stored(store)).get(`waltz/rotate/${key}`)).toEqual(good)
    }
  })

  it('is an object of which the storage keeps less than it said: the whole of it stays beside', async () => {
    const key = SEALED[3] ?? ''
    const memory = await repository()
    const store: ObjectStore = {
      ...memory,
      async put(target, body, options) {
        const info = await memory.put(target, body, options)
        if (target === key) await memory.put(key, sourceOf((await collect(await memory.get(key))).subarray(0, -1)))
        return info
      },
    }
    expect((await rotate(store)).failures).toEqual([{ key, fault: expect.objectContaining({ code: 'ROTATION_NOT_STORED' }) }])
    const whole = (await stored(memory)).get(`waltz/rotate/${key}`) ?? new Uint8Array(0)
    expect(sha256(await collect(fresh.decrypt(sourceOf(whole))))).toBe(sha256(contents.get(key) ?? new Uint8Array(0)))
  })

  it('is everything, with a key that only encrypts', async () => {
    const store = await repository()
    await expect(rotate(store, { current: named('current', publicOnly) })).rejects.toMatchObject({ code: 'ROTATION_KEY_ONE_WAY' })
  })
})

describe('objects that are not encrypted', () => {
  const key = SEALED[4] ?? ''
  const plain = (all: Map<string, Uint8Array>): unknown => all.set(key, contents.get(key) ?? new Uint8Array(0))

  it('stay as they are, and are counted', async () => {
    const store = await repository(plain)
    expect((await rotate(store)).amounts).toMatchObject({ plain: { objects: 1 }, rotated: { objects: SEALED.length - 1 } })
    expect((await stored(store)).get(key)).toEqual(contents.get(key))
  })

  it('are encrypted when that is wished', async () => {
    const store = await repository(plain)
    expect((await rotate(store, { plaintext: 'encrypt' })).amounts.rotated.objects).toBe(SEALED.length)
    await expectDone(store)
  })
})

describe('counting', () => {
  it('tells what lies under which key, and changes nothing', async () => {
    const store = await repository((all) => {
      all.set(SEALED[4] ?? '', contents.get(SEALED[4] ?? '') ?? new Uint8Array(0))
      all.set(SEALED[3] ?? '', concatBytes([new Uint8Array(24).fill(9), new Uint8Array(100)]))
    })
    const before = await stored(store)
    const survey = await surveyKeys({ store, keys: [named('current', fresh), named('previous 1', old)], objectsAtOnce: 2 })
    expect([...survey.byKey].map(([label, { objects: count }]) => [label, count])).toEqual([
      ['current', 0],
      ['previous 1', 3],
    ])
    expect(survey).toMatchObject({ plain: { objects: 1 }, unknown: { objects: 1, bytes: 124 }, unknownKeys: [SEALED[3]] })
    expect(await stored(store)).toEqual(before)
  })
})
